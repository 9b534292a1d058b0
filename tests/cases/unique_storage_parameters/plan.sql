-- note: code to edit: ON CONFLICT (code) on hot becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: ON CONFLICT (label) on hot becomes ON CONFLICT (tenant_id, label)
-- note: code to edit: ON CONFLICT (kind) on hot_kinds becomes ON CONFLICT (tenant_id, kind)
-- note: code to edit: what looks for hot_code_key in an error meets hot_tenant_code_unique, without a DETAIL
-- note: code to edit: what looks for hot_label in an error meets hot_tenant_label_unique, without a DETAIL
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

-- columns.hot.tenant_id
ALTER TABLE "public"."hot" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."hot" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.hot_kinds.tenant_id
ALTER TABLE "public"."hot_kinds" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."hot_kinds" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.hot.tenant_id.check
ALTER TABLE "public"."hot" ADD CONSTRAINT "hot_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.hot.tenant_id.validate
ALTER TABLE "public"."hot" VALIDATE CONSTRAINT "hot_tenant_id_present";

-- enforce.hot.tenant_id.not_null
ALTER TABLE "public"."hot" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."hot" DROP CONSTRAINT "hot_tenant_id_present";

-- enforce.hot_kinds.tenant_id.check
ALTER TABLE "public"."hot_kinds" ADD CONSTRAINT "hot_kinds_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.hot_kinds.tenant_id.validate
ALTER TABLE "public"."hot_kinds" VALIDATE CONSTRAINT "hot_kinds_tenant_id_present";

-- enforce.hot_kinds.tenant_id.not_null
ALTER TABLE "public"."hot_kinds" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."hot_kinds" DROP CONSTRAINT "hot_kinds_tenant_id_present";

-- enforce.hot.hot_tenant_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "hot_tenant_code_unique" ON "public"."hot" USING btree ("tenant_id", "code") WITH (fillfactor=70);

-- enforce.hot.hot_tenant_code_unique
ALTER TABLE "public"."hot" ADD CONSTRAINT "hot_tenant_code_unique" UNIQUE USING INDEX "hot_tenant_code_unique";

-- enforce.hot.hot_tenant_label_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "hot_tenant_label_unique" ON "public"."hot" USING btree ("tenant_id", "label") WITH (fillfactor=60, deduplicate_items=off);

-- enforce.hot_kinds.hot_kinds_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "hot_kinds_pkey_tenant" ON "public"."hot_kinds" USING btree ("tenant_id", "kind") WITH (fillfactor=50);

-- enforce.hot.hot_tenant_id_fk
ALTER TABLE "public"."hot" ADD CONSTRAINT "hot_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.hot.hot_tenant_id_fk.validate
ALTER TABLE "public"."hot" VALIDATE CONSTRAINT "hot_tenant_id_fk";

-- enforce.hot_kinds.hot_kinds_tenant_id_fk
ALTER TABLE "public"."hot_kinds" ADD CONSTRAINT "hot_kinds_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.hot_kinds.hot_kinds_tenant_id_fk.validate
ALTER TABLE "public"."hot_kinds" VALIDATE CONSTRAINT "hot_kinds_tenant_id_fk";

-- enforce.hot.hot_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "hot_tenant_id_idx" ON "public"."hot" USING btree ("tenant_id");

-- enforce.hot_kinds.hot_kinds_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "hot_kinds_tenant_id_idx" ON "public"."hot_kinds" USING btree ("tenant_id");

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

-- observe.hot.analyze
ANALYZE "public"."hot" ("tenant_id");

-- observe.hot.isolate
CREATE POLICY "tenant_isolation" ON "public"."hot" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."hot" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('hot'))) WITH CHECK ((SELECT tenantry.observe('hot')));
ALTER TABLE "public"."hot" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."hot" FORCE ROW LEVEL SECURITY;

-- observe.hot_kinds.analyze
ANALYZE "public"."hot_kinds" ("tenant_id");

-- observe.hot_kinds.isolate
CREATE POLICY "tenant_isolation" ON "public"."hot_kinds" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."hot_kinds" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('hot_kinds'))) WITH CHECK ((SELECT tenantry.observe('hot_kinds')));
ALTER TABLE "public"."hot_kinds" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."hot_kinds" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.hot.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."hot" TO "app_user";

-- observe.hot_kinds.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."hot_kinds" TO "app_user";

-- cutover.hot.hot_code_key.drop
ALTER TABLE "public"."hot" DROP CONSTRAINT "hot_code_key";

-- cutover.hot.hot_label.drop
DROP INDEX "public"."hot_label";

-- cutover.hot_kinds.hot_kinds_pkey
ALTER TABLE "public"."hot_kinds" DROP CONSTRAINT "hot_kinds_pkey";
ALTER TABLE "public"."hot_kinds" ADD CONSTRAINT "hot_kinds_pkey" PRIMARY KEY USING INDEX "hot_kinds_pkey_tenant";

-- cutover.hot.observe
DROP POLICY IF EXISTS "observe" ON "public"."hot";

-- cutover.hot_kinds.observe
DROP POLICY IF EXISTS "observe" ON "public"."hot_kinds";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.hot.tenant_id.default
ALTER TABLE "public"."hot" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.hot_kinds.tenant_id.default
ALTER TABLE "public"."hot_kinds" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
