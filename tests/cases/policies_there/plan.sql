-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

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

-- observe.bookings.isolate
CREATE POLICY "tenant_isolation" ON "public"."bookings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
DROP POLICY "by_company" ON "public"."bookings";
DROP POLICY "insert_anything" ON "public"."bookings";

-- observe.guests.isolate
DROP POLICY "tenant_isolation" ON "public"."guests";
CREATE POLICY "tenant_isolation" ON "public"."guests" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."guests" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('guests'))) WITH CHECK ((SELECT tenantry.observe('guests')));
ALTER TABLE "public"."guests" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
DROP POLICY "everybody" ON "public"."tenants";
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.bookings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."bookings" TO "app_user";

-- observe.guests.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."guests" TO "app_user";

-- cutover.guests.observe
DROP POLICY IF EXISTS "observe" ON "public"."guests";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.bookings.tenant_id.default
ALTER TABLE "public"."bookings" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;

-- cutover.guests.tenant_id.default
ALTER TABLE "public"."guests" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;
