-- note: code to edit: ON CONFLICT (code) on parents becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: what looks for parents_code_key in an error meets parents_tenant_code_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.create
CREATE TABLE "public"."tenants" (
  "id" text PRIMARY KEY DEFAULT gen_random_uuid()::text,
  name text NOT NULL,
  slug text NOT NULL CONSTRAINT "tenants_slug_unique" UNIQUE,
  domain text,
  logo text,
  is_active boolean NOT NULL DEFAULT true,
  plan text NOT NULL DEFAULT 'freemium',
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '')
);

-- tenants.default
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('first', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.children.tenant_id
ALTER TABLE "public"."children" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."children" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.leftovers.tenant_id
ALTER TABLE "public"."leftovers" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."leftovers" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.parents.tenant_id
ALTER TABLE "public"."parents" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."parents" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.children.tenant_id.check
ALTER TABLE "public"."children" ADD CONSTRAINT "children_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.children.tenant_id.validate
ALTER TABLE "public"."children" VALIDATE CONSTRAINT "children_tenant_id_present";

-- enforce.children.tenant_id.not_null
ALTER TABLE "public"."children" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."children" DROP CONSTRAINT "children_tenant_id_present";

-- enforce.leftovers.tenant_id.check
ALTER TABLE "public"."leftovers" ADD CONSTRAINT "leftovers_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.leftovers.tenant_id.validate
ALTER TABLE "public"."leftovers" VALIDATE CONSTRAINT "leftovers_tenant_id_present";

-- enforce.leftovers.tenant_id.not_null
ALTER TABLE "public"."leftovers" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."leftovers" DROP CONSTRAINT "leftovers_tenant_id_present";

-- enforce.parents.tenant_id.check
ALTER TABLE "public"."parents" ADD CONSTRAINT "parents_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.parents.tenant_id.validate
ALTER TABLE "public"."parents" VALIDATE CONSTRAINT "parents_tenant_id_present";

-- enforce.parents.tenant_id.not_null
ALTER TABLE "public"."parents" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."parents" DROP CONSTRAINT "parents_tenant_id_present";

-- enforce.parents.parents_tenant_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "parents_tenant_code_unique" ON "public"."parents" USING btree ("tenant_id", "code");

-- enforce.parents.parents_tenant_code_unique
ALTER TABLE "public"."parents" ADD CONSTRAINT "parents_tenant_code_unique" UNIQUE USING INDEX "parents_tenant_code_unique";

-- enforce.parents.parents_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "parents_tenant_id_unique" ON "public"."parents" USING btree ("tenant_id", "id");

-- enforce.parents.parents_tenant_id_unique
ALTER TABLE "public"."parents" ADD CONSTRAINT "parents_tenant_id_unique" UNIQUE USING INDEX "parents_tenant_id_unique";

-- enforce.children.children_tenant_id_fk
ALTER TABLE "public"."children" ADD CONSTRAINT "children_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.children.children_tenant_id_fk.validate
ALTER TABLE "public"."children" VALIDATE CONSTRAINT "children_tenant_id_fk";

-- enforce.leftovers.leftovers_tenant_id_fk
ALTER TABLE "public"."leftovers" ADD CONSTRAINT "leftovers_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.leftovers.leftovers_tenant_id_fk.validate
ALTER TABLE "public"."leftovers" VALIDATE CONSTRAINT "leftovers_tenant_id_fk";

-- enforce.parents.parents_tenant_id_fk
ALTER TABLE "public"."parents" ADD CONSTRAINT "parents_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.parents.parents_tenant_id_fk.validate
ALTER TABLE "public"."parents" VALIDATE CONSTRAINT "parents_tenant_id_fk";

-- enforce.children.children_tenant_code_fk
ALTER TABLE "public"."children" ADD CONSTRAINT "children_tenant_code_fk" FOREIGN KEY ("tenant_id", "code") REFERENCES "public"."parents" ("tenant_id", "code") NOT VALID;

-- enforce.children.children_tenant_code_fk.validate
ALTER TABLE "public"."children" VALIDATE CONSTRAINT "children_tenant_code_fk";

-- enforce.children.children_tenant_parent_fk
ALTER TABLE "public"."children" ADD CONSTRAINT "children_tenant_parent_fk" FOREIGN KEY ("tenant_id", "parent_id") REFERENCES "public"."parents" ("tenant_id", "id") ON DELETE SET NULL ("parent_id") NOT VALID;

-- enforce.children.children_tenant_parent_fk.validate
ALTER TABLE "public"."children" VALIDATE CONSTRAINT "children_tenant_parent_fk";

-- enforce.children.children_code_fkey.drop
ALTER TABLE "public"."children" DROP CONSTRAINT "children_code_fkey";

-- enforce.children.children_parent_fkey.drop
ALTER TABLE "public"."children" DROP CONSTRAINT "children_parent_fkey";

-- enforce.children.children_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "children_tenant_id_idx" ON "public"."children" USING btree ("tenant_id");

-- enforce.leftovers.leftovers_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "leftovers_tenant_id_idx" ON "public"."leftovers" USING btree ("tenant_id");

-- enforce.parents.parents_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "parents_tenant_id_idx" ON "public"."parents" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.children.analyze
ANALYZE "public"."children" ("tenant_id");

-- observe.children.isolate
CREATE POLICY "tenant_isolation" ON "public"."children" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."children" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('children'))) WITH CHECK ((SELECT tenantry.observe('children')));
ALTER TABLE "public"."children" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."children" FORCE ROW LEVEL SECURITY;

-- observe.leftovers.analyze
ANALYZE "public"."leftovers" ("tenant_id");

-- observe.leftovers.isolate
CREATE POLICY "tenant_isolation" ON "public"."leftovers" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."leftovers" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('leftovers'))) WITH CHECK ((SELECT tenantry.observe('leftovers')));
ALTER TABLE "public"."leftovers" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."leftovers" FORCE ROW LEVEL SECURITY;

-- observe.parents.analyze
ANALYZE "public"."parents" ("tenant_id");

-- observe.parents.isolate
CREATE POLICY "tenant_isolation" ON "public"."parents" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."parents" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('parents'))) WITH CHECK ((SELECT tenantry.observe('parents')));
ALTER TABLE "public"."parents" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."parents" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.children.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."children" TO "app_user";

-- observe.leftovers.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."leftovers" TO "app_user";

-- observe.parents.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."parents" TO "app_user";

-- cutover.parents.parents_code_key.drop
ALTER TABLE "public"."parents" DROP CONSTRAINT "parents_code_key";

-- cutover.children.observe
DROP POLICY IF EXISTS "observe" ON "public"."children";

-- cutover.leftovers.observe
DROP POLICY IF EXISTS "observe" ON "public"."leftovers";

-- cutover.parents.observe
DROP POLICY IF EXISTS "observe" ON "public"."parents";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.children.tenant_id.default
ALTER TABLE "public"."children" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.leftovers.tenant_id.default
ALTER TABLE "public"."leftovers" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.parents.tenant_id.default
ALTER TABLE "public"."parents" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
