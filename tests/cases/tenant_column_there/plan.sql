-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: keys: tenantId was there before, so rows that the backfill gives a tenant keep it after a revert
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

-- columns.keys.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_5c93cd73d75d48a7"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenantId" IS NULL THEN
    NEW."tenantId" := (SELECT (SELECT p."organization_id" FROM "public"."drawers" p WHERE p."id" = a."drawer_id") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."keys" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_5c93cd73d75d48a7"();

-- backfill.keys.tenantId
UPDATE "public"."keys" AS a SET "tenantId" = (SELECT p."organization_id" FROM "public"."drawers" p WHERE p."id" = a."drawer_id")
WHERE a."tenantId" IS NULL;

-- enforce.keys.tenantId.check
ALTER TABLE "public"."keys" ADD CONSTRAINT "keys_tenantId_present" CHECK ("tenantId" IS NOT NULL) NOT VALID;

-- enforce.keys.tenantId.validate
ALTER TABLE "public"."keys" VALIDATE CONSTRAINT "keys_tenantId_present";

-- enforce.keys.tenantId.not_null
ALTER TABLE "public"."keys" ALTER COLUMN "tenantId" SET NOT NULL;
ALTER TABLE "public"."keys" DROP CONSTRAINT "keys_tenantId_present";

-- enforce.desks.desks_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "desks_tenant_id_unique" ON "public"."desks" USING btree ("tenant_id", "id");

-- enforce.desks.desks_tenant_id_unique
ALTER TABLE "public"."desks" ADD CONSTRAINT "desks_tenant_id_unique" UNIQUE USING INDEX "desks_tenant_id_unique";

-- enforce.drawers.drawers_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "drawers_tenant_id_unique" ON "public"."drawers" USING btree ("organization_id", "id");

-- enforce.drawers.drawers_tenant_id_unique
ALTER TABLE "public"."drawers" ADD CONSTRAINT "drawers_tenant_id_unique" UNIQUE USING INDEX "drawers_tenant_id_unique";

-- enforce.drawers.drawers_organization_id_fk
ALTER TABLE "public"."drawers" ADD CONSTRAINT "drawers_organization_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.drawers.drawers_organization_id_fk.validate
ALTER TABLE "public"."drawers" VALIDATE CONSTRAINT "drawers_organization_id_fk";

-- enforce.drawers.drawers_tenant_desk_fk
ALTER TABLE "public"."drawers" ADD CONSTRAINT "drawers_tenant_desk_fk" FOREIGN KEY ("organization_id", "desk_id") REFERENCES "public"."desks" ("tenant_id", "id") NOT VALID;

-- enforce.drawers.drawers_tenant_desk_fk.validate
ALTER TABLE "public"."drawers" VALIDATE CONSTRAINT "drawers_tenant_desk_fk";

-- enforce.keys.keys_tenant_drawer_fk
ALTER TABLE "public"."keys" ADD CONSTRAINT "keys_tenant_drawer_fk" FOREIGN KEY ("tenantId", "drawer_id") REFERENCES "public"."drawers" ("organization_id", "id") NOT VALID;

-- enforce.keys.keys_tenant_drawer_fk.validate
ALTER TABLE "public"."keys" VALIDATE CONSTRAINT "keys_tenant_drawer_fk";

-- enforce.drawers.drawers_desk_fkey.drop
ALTER TABLE "public"."drawers" DROP CONSTRAINT "drawers_desk_fkey";

-- enforce.keys.keys_drawer_fkey.drop
ALTER TABLE "public"."keys" DROP CONSTRAINT "keys_drawer_fkey";

-- enforce.drawers.drawers_organization_id_idx.build
CREATE INDEX CONCURRENTLY "drawers_organization_id_idx" ON "public"."drawers" USING btree ("organization_id");

-- enforce.keys.keys_tenantId_idx.build
CREATE INDEX CONCURRENTLY "keys_tenantId_idx" ON "public"."keys" USING btree ("tenantId");

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

-- observe.desks.analyze
ANALYZE "public"."desks" ("tenant_id");

-- observe.desks.isolate
CREATE POLICY "tenant_isolation" ON "public"."desks" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."desks" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('desks'))) WITH CHECK ((SELECT tenantry.observe('desks')));
ALTER TABLE "public"."desks" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."desks" FORCE ROW LEVEL SECURITY;

-- observe.drawers.analyze
ANALYZE "public"."drawers" ("organization_id");

-- observe.drawers.isolate
CREATE POLICY "tenant_isolation" ON "public"."drawers" AS PERMISSIVE FOR ALL TO PUBLIC USING ("organization_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("organization_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."drawers" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('drawers'))) WITH CHECK ((SELECT tenantry.observe('drawers')));
ALTER TABLE "public"."drawers" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."drawers" FORCE ROW LEVEL SECURITY;

-- observe.keys.analyze
ANALYZE "public"."keys" ("tenantId");

-- observe.keys.isolate
CREATE POLICY "tenant_isolation" ON "public"."keys" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenantId" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenantId" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."keys" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('keys'))) WITH CHECK ((SELECT tenantry.observe('keys')));
ALTER TABLE "public"."keys" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."keys" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.desks.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."desks" TO "app_user";

-- observe.drawers.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."drawers" TO "app_user";

-- observe.keys.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."keys" TO "app_user";

-- cutover.desks.observe
DROP POLICY IF EXISTS "observe" ON "public"."desks";

-- cutover.drawers.observe
DROP POLICY IF EXISTS "observe" ON "public"."drawers";

-- cutover.keys.observe
DROP POLICY IF EXISTS "observe" ON "public"."keys";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.keys.fill
DROP FUNCTION "tenantry"."fill_5c93cd73d75d48a7"() CASCADE;

-- cutover.desks.tenant_id.default
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.drawers.organization_id.default
ALTER TABLE "public"."drawers" ALTER COLUMN "organization_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.keys.tenantId.default
ALTER TABLE "public"."keys" ALTER COLUMN "tenantId" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
