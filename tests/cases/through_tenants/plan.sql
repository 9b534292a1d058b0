-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- enforce.members.members_employer_idx.build
CREATE INDEX CONCURRENTLY "members_employer_idx" ON "public"."members" USING btree ("employer");

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

-- observe.members.analyze
ANALYZE "public"."members" ("employer");

-- observe.members.isolate
CREATE POLICY "tenant_isolation" ON "public"."members" AS PERMISSIVE FOR ALL TO PUBLIC USING ("employer" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("employer" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."members" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('members'))) WITH CHECK ((SELECT tenantry.observe('members')));
ALTER TABLE "public"."members" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."members" FORCE ROW LEVEL SECURITY;

-- observe.invoices.isolate
CREATE POLICY "tenant_isolation" ON "public"."invoices" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."organizations" p WHERE p."id" = "public"."invoices"."payer" AND p."id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid)) WITH CHECK (EXISTS (SELECT 1 FROM "public"."organizations" p WHERE p."id" = "public"."invoices"."payer" AND p."id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid));
CREATE POLICY "observe" ON "public"."invoices" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('invoices'))) WITH CHECK ((SELECT tenantry.observe('invoices')));
ALTER TABLE "public"."invoices" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."invoices" FORCE ROW LEVEL SECURITY;

-- observe.organizations.isolate
CREATE POLICY "tenant_isolation" ON "public"."organizations" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."organizations" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('organizations'))) WITH CHECK ((SELECT tenantry.observe('organizations')));
ALTER TABLE "public"."organizations" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."organizations" FORCE ROW LEVEL SECURITY;

-- observe.organizations.grants
GRANT SELECT ON TABLE "public"."organizations" TO "app_user";

-- observe.members.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."members" TO "app_user";

-- observe.invoices.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."invoices" TO "app_user";

-- cutover.members.observe
DROP POLICY IF EXISTS "observe" ON "public"."members";

-- cutover.invoices.observe
DROP POLICY IF EXISTS "observe" ON "public"."invoices";

-- cutover.organizations.observe
DROP POLICY IF EXISTS "observe" ON "public"."organizations";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.members.employer.default
ALTER TABLE "public"."members" ALTER COLUMN "employer" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;
