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

-- columns.devices.tenant_id
ALTER TABLE "public"."devices" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."devices" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.notes.tenant_id
ALTER TABLE "public"."notes" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.readings.tenant_id
ALTER TABLE "public"."readings" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.devices.tenant_id.check
ALTER TABLE "public"."devices" ADD CONSTRAINT "devices_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.devices.tenant_id.validate
ALTER TABLE "public"."devices" VALIDATE CONSTRAINT "devices_tenant_id_present";

-- enforce.devices.tenant_id.not_null
ALTER TABLE "public"."devices" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."devices" DROP CONSTRAINT "devices_tenant_id_present";

-- enforce.notes.tenant_id.check
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.notes.tenant_id.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_present";

-- enforce.notes.tenant_id.not_null
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_tenant_id_present";

-- enforce.readings.tenant_id.check
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.readings.tenant_id.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_present";

-- enforce.readings.tenant_id.not_null
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."readings" DROP CONSTRAINT "readings_tenant_id_present";

-- enforce.devices.devices_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "devices_tenant_id_unique" ON "public"."devices" USING btree ("tenant_id", "id");

-- enforce.devices.devices_tenant_id_unique
ALTER TABLE "public"."devices" ADD CONSTRAINT "devices_tenant_id_unique" UNIQUE USING INDEX "devices_tenant_id_unique";

-- enforce.devices.devices_tenant_id_fk
ALTER TABLE "public"."devices" ADD CONSTRAINT "devices_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.devices.devices_tenant_id_fk.validate
ALTER TABLE "public"."devices" VALIDATE CONSTRAINT "devices_tenant_id_fk";

-- enforce.notes.notes_tenant_id_fk
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.notes.notes_tenant_id_fk.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_fk";

-- enforce.readings.readings_tenant_id_fk
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.readings.readings_tenant_id_fk.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_fk";

-- enforce.readings.readings_tenant_device_fk
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_device_fk" FOREIGN KEY ("tenant_id", "device") REFERENCES "public"."devices" ("tenant_id", "id") NOT VALID;

-- enforce.readings.readings_tenant_device_fk.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_device_fk";

-- enforce.readings.readings_device_fkey.drop
ALTER TABLE "public"."readings" DROP CONSTRAINT "readings_device_fkey";

-- enforce.devices.devices_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "devices_tenant_id_idx" ON "public"."devices" USING btree ("tenant_id");

-- enforce.notes.notes_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "notes_tenant_id_idx" ON "public"."notes" USING btree ("tenant_id");

-- enforce.readings.readings_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_tenant_id_idx" ON "public"."readings" USING btree ("tenant_id");

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

-- observe.devices.analyze
ANALYZE "public"."devices" ("tenant_id");

-- observe.devices.isolate
CREATE POLICY "tenant_isolation" ON "public"."devices" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."devices" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('devices'))) WITH CHECK ((SELECT tenantry.observe('devices')));
ALTER TABLE "public"."devices" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."devices" FORCE ROW LEVEL SECURITY;

-- observe.notes.analyze
ANALYZE "public"."notes" ("tenant_id");

-- observe.notes.isolate
CREATE POLICY "tenant_isolation" ON "public"."notes" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."notes" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('notes'))) WITH CHECK ((SELECT tenantry.observe('notes')));
ALTER TABLE "public"."notes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."notes" FORCE ROW LEVEL SECURITY;

-- observe.readings.analyze
ANALYZE "public"."readings" ("tenant_id");

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

-- observe.devices.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."devices" TO "app_user";

-- observe.notes.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."notes" TO "app_user";

-- observe.readings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."readings" TO "app_user";

-- cutover.devices.observe
DROP POLICY IF EXISTS "observe" ON "public"."devices";

-- cutover.notes.observe
DROP POLICY IF EXISTS "observe" ON "public"."notes";

-- cutover.readings.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.devices.tenant_id.default
ALTER TABLE "public"."devices" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.notes.tenant_id.default
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.readings.tenant_id.default
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
