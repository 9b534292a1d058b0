-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- columns.rentals.tenant_id
ALTER TABLE "public"."rentals" ADD COLUMN "tenant_id" bigint;
ALTER TABLE "public"."rentals" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::bigint;

-- columns.rentals.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_124f8ef8bef32232"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT m."owner"::bigint FROM "public"."rental_owners" m WHERE m."country" = a."country" AND m."no" = a."number") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."rentals" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_124f8ef8bef32232"();

-- backfill.rentals.tenant_id
UPDATE "public"."rentals" AS a SET "tenant_id" = (SELECT m."owner"::bigint FROM "public"."rental_owners" m WHERE m."country" = a."country" AND m."no" = a."number")
WHERE a."tenant_id" IS NULL;

-- enforce.rentals.tenant_id.check
ALTER TABLE "public"."rentals" ADD CONSTRAINT "rentals_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.rentals.tenant_id.validate
ALTER TABLE "public"."rentals" VALIDATE CONSTRAINT "rentals_tenant_id_present";

-- enforce.rentals.tenant_id.not_null
ALTER TABLE "public"."rentals" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."rentals" DROP CONSTRAINT "rentals_tenant_id_present";

-- enforce.rentals.rentals_tenant_id_fk
ALTER TABLE "public"."rentals" ADD CONSTRAINT "rentals_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.rentals.rentals_tenant_id_fk.validate
ALTER TABLE "public"."rentals" VALIDATE CONSTRAINT "rentals_tenant_id_fk";

-- enforce.rentals.rentals_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "rentals_tenant_id_idx" ON "public"."rentals" USING btree ("tenant_id");

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

-- observe.rentals.analyze
ANALYZE "public"."rentals" ("tenant_id");

-- observe.rentals.isolate
CREATE POLICY "tenant_isolation" ON "public"."rentals" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint);
CREATE POLICY "observe" ON "public"."rentals" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('rentals'))) WITH CHECK ((SELECT tenantry.observe('rentals')));
ALTER TABLE "public"."rentals" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."rentals" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint) WITH CHECK ("id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint);
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.rentals.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."rentals" TO "app_user";

-- cutover.rentals.observe
DROP POLICY IF EXISTS "observe" ON "public"."rentals";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.rentals.fill
DROP FUNCTION "tenantry"."fill_124f8ef8bef32232"() CASCADE;
