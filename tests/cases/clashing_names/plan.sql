-- note: code to edit: ON CONFLICT (code) on skills becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: ON CONFLICT (label_id) on skills becomes ON CONFLICT (tenant_id, label_id)
-- note: code to edit: ON CONFLICT (label) on skills becomes ON CONFLICT (tenant_id, label)
-- note: code to edit: ON CONFLICT (slug) on skills becomes ON CONFLICT (tenant_id, slug)
-- note: code to edit: ON CONFLICT (kind) on skills_tenant_id_unique becomes ON CONFLICT (tenant_id, kind)
-- note: code to edit: what looks for skills_code_key in an error meets skills_tenant_code_unique2, without a DETAIL
-- note: code to edit: what looks for skills_label_id_key in an error meets skills_tenant_label_unique2, without a DETAIL
-- note: code to edit: what looks for skills_label_key in an error meets skills_tenant_label_unique3, without a DETAIL
-- note: code to edit: what looks for skills_slug_key in an error meets skills_tenant_slug_unique2, without a DETAIL
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

-- columns.skills.tenant_id
ALTER TABLE "public"."skills" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.skills_tenant_id_unique.tenant_id
ALTER TABLE "public"."skills_tenant_id_unique" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."skills_tenant_id_unique" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.skills.tenant_id.check
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_id_present2" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.skills.tenant_id.validate
ALTER TABLE "public"."skills" VALIDATE CONSTRAINT "skills_tenant_id_present2";

-- enforce.skills.tenant_id.not_null
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_tenant_id_present2";

-- enforce.skills_tenant_id_unique.tenant_id.check
ALTER TABLE "public"."skills_tenant_id_unique" ADD CONSTRAINT "skills_tenant_id_unique_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.skills_tenant_id_unique.tenant_id.validate
ALTER TABLE "public"."skills_tenant_id_unique" VALIDATE CONSTRAINT "skills_tenant_id_unique_tenant_id_present";

-- enforce.skills_tenant_id_unique.tenant_id.not_null
ALTER TABLE "public"."skills_tenant_id_unique" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."skills_tenant_id_unique" DROP CONSTRAINT "skills_tenant_id_unique_tenant_id_present";

-- enforce.skills.skills_tenant_code_unique2.build
CREATE UNIQUE INDEX CONCURRENTLY "skills_tenant_code_unique2" ON "public"."skills" USING btree ("tenant_id", "code");

-- enforce.skills.skills_tenant_code_unique2
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_code_unique2" UNIQUE USING INDEX "skills_tenant_code_unique2";

-- enforce.skills.skills_tenant_label_unique2.build
CREATE UNIQUE INDEX CONCURRENTLY "skills_tenant_label_unique2" ON "public"."skills" USING btree ("tenant_id", "label_id");

-- enforce.skills.skills_tenant_label_unique2
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_label_unique2" UNIQUE USING INDEX "skills_tenant_label_unique2";

-- enforce.skills.skills_tenant_label_unique3.build
CREATE UNIQUE INDEX CONCURRENTLY "skills_tenant_label_unique3" ON "public"."skills" USING btree ("tenant_id", "label");

-- enforce.skills.skills_tenant_label_unique3
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_label_unique3" UNIQUE USING INDEX "skills_tenant_label_unique3";

-- enforce.skills.skills_tenant_slug_unique2.build
CREATE UNIQUE INDEX CONCURRENTLY "skills_tenant_slug_unique2" ON "public"."skills" USING btree ("tenant_id", "slug");

-- enforce.skills.skills_tenant_slug_unique2
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_slug_unique2" UNIQUE USING INDEX "skills_tenant_slug_unique2";

-- enforce.skills_tenant_id_unique.skills_tenant_id_unique_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "skills_tenant_id_unique_pkey_tenant" ON "public"."skills_tenant_id_unique" USING btree ("tenant_id", "kind");

-- enforce.skills.skills_tenant_id_unique2.build
CREATE UNIQUE INDEX CONCURRENTLY "skills_tenant_id_unique2" ON "public"."skills" USING btree ("tenant_id", "id");

-- enforce.skills.skills_tenant_id_unique2
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_id_unique2" UNIQUE USING INDEX "skills_tenant_id_unique2";

-- enforce.skills.skills_tenant_id_fk2
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_id_fk2" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.skills.skills_tenant_id_fk2.validate
ALTER TABLE "public"."skills" VALIDATE CONSTRAINT "skills_tenant_id_fk2";

-- enforce.skills_tenant_id_unique.skills_tenant_id_unique_tenant_id_fk
ALTER TABLE "public"."skills_tenant_id_unique" ADD CONSTRAINT "skills_tenant_id_unique_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.skills_tenant_id_unique.skills_tenant_id_unique_tenant_id_fk.validate
ALTER TABLE "public"."skills_tenant_id_unique" VALIDATE CONSTRAINT "skills_tenant_id_unique_tenant_id_fk";

-- enforce.skills.skills_tenant_chief_fk
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_chief_fk" FOREIGN KEY ("tenant_id", "chief") REFERENCES "public"."skills" ("tenant_id", "id") NOT VALID;

-- enforce.skills.skills_tenant_chief_fk.validate
ALTER TABLE "public"."skills" VALIDATE CONSTRAINT "skills_tenant_chief_fk";

-- enforce.skills.skills_tenant_chief_fk2
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_chief_fk2" FOREIGN KEY ("tenant_id", "chief_id") REFERENCES "public"."skills" ("tenant_id", "id") NOT VALID;

-- enforce.skills.skills_tenant_chief_fk2.validate
ALTER TABLE "public"."skills" VALIDATE CONSTRAINT "skills_tenant_chief_fk2";

-- enforce.skills.skills_tenant_boss_fk2
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_boss_fk2" FOREIGN KEY ("tenant_id", "boss_id") REFERENCES "public"."skills" ("tenant_id", "id") NOT VALID;

-- enforce.skills.skills_tenant_boss_fk2.validate
ALTER TABLE "public"."skills" VALIDATE CONSTRAINT "skills_tenant_boss_fk2";

-- enforce.skills.skills_chief_fkey.drop
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_chief_fkey";

-- enforce.skills.skills_chief_id_fkey.drop
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_chief_id_fkey";

-- enforce.skills.skills_tenant_boss_fk.drop
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_tenant_boss_fk";

-- enforce.skills.skills_tenant_id_idx2.build
CREATE INDEX CONCURRENTLY "skills_tenant_id_idx2" ON "public"."skills" USING btree ("tenant_id");

-- enforce.skills_tenant_id_unique.skills_tenant_id_unique_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "skills_tenant_id_unique_tenant_id_idx" ON "public"."skills_tenant_id_unique" USING btree ("tenant_id");

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

-- observe.skills.analyze
ANALYZE "public"."skills" ("tenant_id");

-- observe.skills.isolate
CREATE POLICY "tenant_isolation" ON "public"."skills" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."skills" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('skills'))) WITH CHECK ((SELECT tenantry.observe('skills')));
ALTER TABLE "public"."skills" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;

-- observe.skills_tenant_id_unique.analyze
ANALYZE "public"."skills_tenant_id_unique" ("tenant_id");

-- observe.skills_tenant_id_unique.isolate
CREATE POLICY "tenant_isolation" ON "public"."skills_tenant_id_unique" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."skills_tenant_id_unique" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('skills_tenant_id_unique'))) WITH CHECK ((SELECT tenantry.observe('skills_tenant_id_unique')));
ALTER TABLE "public"."skills_tenant_id_unique" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."skills_tenant_id_unique" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.skills.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."skills" TO "app_user";

-- observe.skills_tenant_id_unique.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."skills_tenant_id_unique" TO "app_user";

-- cutover.skills.skills_code_key.drop
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_code_key";

-- cutover.skills.skills_label_id_key.drop
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_label_id_key";

-- cutover.skills.skills_label_key.drop
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_label_key";

-- cutover.skills.skills_slug_key.drop
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_slug_key";

-- cutover.skills_tenant_id_unique.skills_tenant_id_unique_pkey
ALTER TABLE "public"."skills_tenant_id_unique" DROP CONSTRAINT "skills_tenant_id_unique_pkey";
ALTER TABLE "public"."skills_tenant_id_unique" ADD CONSTRAINT "skills_tenant_id_unique_pkey" PRIMARY KEY USING INDEX "skills_tenant_id_unique_pkey_tenant";

-- cutover.skills.observe
DROP POLICY IF EXISTS "observe" ON "public"."skills";

-- cutover.skills_tenant_id_unique.observe
DROP POLICY IF EXISTS "observe" ON "public"."skills_tenant_id_unique";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.skills.tenant_id.default
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.skills_tenant_id_unique.tenant_id.default
ALTER TABLE "public"."skills_tenant_id_unique" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
