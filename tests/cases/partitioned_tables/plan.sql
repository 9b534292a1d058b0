-- note: code to edit: ON CONFLICT (site, taken_on) on readings becomes ON CONFLICT (tenant_id, site, taken_on)
-- note: code to edit: ON CONFLICT (value) on readings_2023 becomes ON CONFLICT (tenant_id, value)
-- note: code to edit: what looks for readings_site_taken_key in an error meets readings_tenant_site_taken_on_unique, without a DETAIL
-- note: code to edit: what looks for readings_2023_value_key in an error meets readings_2023_tenant_value_unique, without a DETAIL
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

-- columns.readings.tenant_id
ALTER TABLE "public"."readings" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.readings.tenant_id.check
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.readings.tenant_id.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_present";

-- enforce.readings.tenant_id.not_null
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."readings" DROP CONSTRAINT "readings_tenant_id_present";

-- enforce.readings_2023.readings_2023_tenant_id_site_taken_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "readings_2023_tenant_id_site_taken_on_key" ON "public"."readings_2023" USING btree ("tenant_id", "site", "taken_on");

-- enforce.readings_rest.readings_rest_tenant_id_site_taken_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "readings_rest_tenant_id_site_taken_on_key" ON "public"."readings_rest" USING btree ("tenant_id", "site", "taken_on");

-- enforce.readings_2024_north.readings_2024_north_tenant_id_site_taken_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "readings_2024_north_tenant_id_site_taken_on_key" ON "public"."readings_2024_north" USING btree ("tenant_id", "site", "taken_on");

-- enforce.readings_2024_rest.readings_2024_rest_tenant_id_site_taken_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "readings_2024_rest_tenant_id_site_taken_on_key" ON "public"."readings_2024_rest" USING btree ("tenant_id", "site", "taken_on");

-- enforce.readings_2025_0.readings_2025_0_tenant_id_site_taken_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "readings_2025_0_tenant_id_site_taken_on_key" ON "public"."readings_2025_0" USING btree ("tenant_id", "site", "taken_on");

-- enforce.readings_2025_1.readings_2025_1_tenant_id_site_taken_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "readings_2025_1_tenant_id_site_taken_on_key" ON "public"."readings_2025_1" USING btree ("tenant_id", "site", "taken_on");

-- enforce.readings.readings_tenant_site_taken_on_unique
ALTER TABLE "public"."readings_2023" ADD CONSTRAINT "readings_2023_tenant_id_site_taken_on_key" UNIQUE USING INDEX "readings_2023_tenant_id_site_taken_on_key";
ALTER TABLE "public"."readings_rest" ADD CONSTRAINT "readings_rest_tenant_id_site_taken_on_key" UNIQUE USING INDEX "readings_rest_tenant_id_site_taken_on_key";
ALTER TABLE "public"."readings_2024_north" ADD CONSTRAINT "readings_2024_north_tenant_id_site_taken_on_key" UNIQUE USING INDEX "readings_2024_north_tenant_id_site_taken_on_key";
ALTER TABLE "public"."readings_2024_rest" ADD CONSTRAINT "readings_2024_rest_tenant_id_site_taken_on_key" UNIQUE USING INDEX "readings_2024_rest_tenant_id_site_taken_on_key";
ALTER TABLE "public"."readings_2025_0" ADD CONSTRAINT "readings_2025_0_tenant_id_site_taken_on_key" UNIQUE USING INDEX "readings_2025_0_tenant_id_site_taken_on_key";
ALTER TABLE "public"."readings_2025_1" ADD CONSTRAINT "readings_2025_1_tenant_id_site_taken_on_key" UNIQUE USING INDEX "readings_2025_1_tenant_id_site_taken_on_key";
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_site_taken_on_unique" UNIQUE ("tenant_id", "site", "taken_on");

-- enforce.readings_2023.readings_2023_tenant_value_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "readings_2023_tenant_value_unique" ON "public"."readings_2023" USING btree ("tenant_id", "value");

-- enforce.readings.readings_tenant_id_fk
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.readings.readings_tenant_id_fk.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_fk";

-- enforce.readings_2023.readings_2023_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_2023_tenant_id_idx" ON "public"."readings_2023" USING btree ("tenant_id");

-- enforce.readings_rest.readings_rest_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_rest_tenant_id_idx" ON "public"."readings_rest" USING btree ("tenant_id");

-- enforce.readings_2024_north.readings_2024_north_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_2024_north_tenant_id_idx" ON "public"."readings_2024_north" USING btree ("tenant_id");

-- enforce.readings_2024_rest.readings_2024_rest_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_2024_rest_tenant_id_idx" ON "public"."readings_2024_rest" USING btree ("tenant_id");

-- enforce.readings_2025_0.readings_2025_0_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_2025_0_tenant_id_idx" ON "public"."readings_2025_0" USING btree ("tenant_id");

-- enforce.readings_2025_1.readings_2025_1_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_2025_1_tenant_id_idx" ON "public"."readings_2025_1" USING btree ("tenant_id");

-- enforce.readings.readings_tenant_id_idx.build
CREATE INDEX "readings_tenant_id_idx" ON "public"."readings" USING btree ("tenant_id");

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

-- observe.readings_2025_1.analyze
ANALYZE "public"."readings_2025_1" ("tenant_id");

-- observe.readings_2025_1.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2025_1" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_2025_1" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_2025_1'))) WITH CHECK ((SELECT tenantry.observe('readings_2025_1')));
ALTER TABLE "public"."readings_2025_1" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2025_1" FORCE ROW LEVEL SECURITY;

-- observe.readings_2025_0.analyze
ANALYZE "public"."readings_2025_0" ("tenant_id");

-- observe.readings_2025_0.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2025_0" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_2025_0" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_2025_0'))) WITH CHECK ((SELECT tenantry.observe('readings_2025_0')));
ALTER TABLE "public"."readings_2025_0" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2025_0" FORCE ROW LEVEL SECURITY;

-- observe.readings_2024_rest.analyze
ANALYZE "public"."readings_2024_rest" ("tenant_id");

-- observe.readings_2024_rest.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2024_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_2024_rest" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_2024_rest'))) WITH CHECK ((SELECT tenantry.observe('readings_2024_rest')));
ALTER TABLE "public"."readings_2024_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2024_rest" FORCE ROW LEVEL SECURITY;

-- observe.readings_2024_north.analyze
ANALYZE "public"."readings_2024_north" ("tenant_id");

-- observe.readings_2024_north.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2024_north" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_2024_north" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_2024_north'))) WITH CHECK ((SELECT tenantry.observe('readings_2024_north')));
ALTER TABLE "public"."readings_2024_north" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2024_north" FORCE ROW LEVEL SECURITY;

-- observe.readings_rest.analyze
ANALYZE "public"."readings_rest" ("tenant_id");

-- observe.readings_rest.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_rest" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_rest'))) WITH CHECK ((SELECT tenantry.observe('readings_rest')));
ALTER TABLE "public"."readings_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_rest" FORCE ROW LEVEL SECURITY;

-- observe.readings_2025.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2025" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_2025" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_2025'))) WITH CHECK ((SELECT tenantry.observe('readings_2025')));
ALTER TABLE "public"."readings_2025" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2025" FORCE ROW LEVEL SECURITY;

-- observe.readings_2024.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2024" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_2024" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_2024'))) WITH CHECK ((SELECT tenantry.observe('readings_2024')));
ALTER TABLE "public"."readings_2024" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2024" FORCE ROW LEVEL SECURITY;

-- observe.readings_2023.analyze
ANALYZE "public"."readings_2023" ("tenant_id");

-- observe.readings_2023.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2023" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_2023" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_2023'))) WITH CHECK ((SELECT tenantry.observe('readings_2023')));
ALTER TABLE "public"."readings_2023" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2023" FORCE ROW LEVEL SECURITY;

-- observe.readings.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings'))) WITH CHECK ((SELECT tenantry.observe('readings')));
ALTER TABLE "public"."readings" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.readings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."readings" TO "app_user";

-- observe.readings_id_seq.grants
GRANT USAGE ON SEQUENCE "public"."readings_id_seq" TO "app_user";

-- cutover.readings.readings_site_taken_key.drop
ALTER TABLE "public"."readings" DROP CONSTRAINT "readings_site_taken_key";

-- cutover.readings_2023.readings_2023_value_key.drop
DROP INDEX "public"."readings_2023_value_key";

-- cutover.readings.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings";

-- cutover.readings_2023.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_2023";

-- cutover.readings_2024.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_2024";

-- cutover.readings_2025.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_2025";

-- cutover.readings_rest.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_rest";

-- cutover.readings_2024_north.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_2024_north";

-- cutover.readings_2024_rest.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_2024_rest";

-- cutover.readings_2025_0.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_2025_0";

-- cutover.readings_2025_1.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_2025_1";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.readings.tenant_id.default
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
