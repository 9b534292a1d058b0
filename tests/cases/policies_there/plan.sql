-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- enforce.bookings.isolate
CREATE POLICY "tenant_isolation" ON "public"."bookings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
DROP POLICY "by_company" ON "public"."bookings";
DROP POLICY "insert_anything" ON "public"."bookings";

-- enforce.guests.isolate
ALTER TABLE "public"."guests" FORCE ROW LEVEL SECURITY;

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- harden.bookings.tenant_id.default
ALTER TABLE "public"."bookings" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;

-- harden.guests.tenant_id.default
ALTER TABLE "public"."guests" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.bookings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."bookings" TO "app_user";

-- harden.guests.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."guests" TO "app_user";
