-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

-- columns.desks.tenant_id
ALTER TABLE "public"."desks" ADD COLUMN "tenant_id" character varying(8);
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.desks.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_6461068274035335"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT k."id" FROM "public"."tenants" k WHERE k."id"::text = a."branch"::text) FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."desks" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_6461068274035335"();

-- backfill.desks.tenant_id
UPDATE "public"."desks" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."id"::text = a."branch"::text)
WHERE a."tenant_id" IS NULL;

-- enforce.desks.tenant_id.check
ALTER TABLE "public"."desks" ADD CONSTRAINT "desks_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.desks.tenant_id.validate
ALTER TABLE "public"."desks" VALIDATE CONSTRAINT "desks_tenant_id_present";

-- enforce.desks.tenant_id.not_null
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."desks" DROP CONSTRAINT "desks_tenant_id_present";

-- enforce.desks.desks_tenant_id_fk
ALTER TABLE "public"."desks" ADD CONSTRAINT "desks_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.desks.desks_tenant_id_fk.validate
ALTER TABLE "public"."desks" VALIDATE CONSTRAINT "desks_tenant_id_fk";

-- enforce.desks.desks_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "desks_tenant_id_idx" ON "public"."desks" USING btree ("tenant_id");

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

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.desks.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."desks" TO "app_user";

-- cutover.desks.observe
DROP POLICY IF EXISTS "observe" ON "public"."desks";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.desks.fill
DROP FUNCTION "tenantry"."fill_6461068274035335"() CASCADE;
