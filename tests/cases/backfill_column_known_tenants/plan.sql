-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: tickets: foreign key tickets_org_fkey points at a tenant other than the row's own, by design; it stays
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- columns.tickets.org_id
ALTER TABLE "public"."tickets" ADD COLUMN "org_id" uuid;
ALTER TABLE "public"."tickets" ALTER COLUMN "org_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;

-- columns.tickets.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_8826e91d05472e45"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."org_id" IS NULL THEN
    NEW."org_id" := (SELECT (SELECT k."org_id" FROM "public"."organizations" k WHERE k."number" = a."org_number") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."tickets" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_8826e91d05472e45"();

-- backfill.tickets.org_id
UPDATE "public"."tickets" AS a SET "org_id" = (SELECT k."org_id" FROM "public"."organizations" k WHERE k."number" = a."org_number")
WHERE a."org_id" IS NULL;

-- enforce.tickets.org_id.check
ALTER TABLE "public"."tickets" ADD CONSTRAINT "tickets_org_id_present" CHECK ("org_id" IS NOT NULL) NOT VALID;

-- enforce.tickets.org_id.validate
ALTER TABLE "public"."tickets" VALIDATE CONSTRAINT "tickets_org_id_present";

-- enforce.tickets.org_id.not_null
ALTER TABLE "public"."tickets" ALTER COLUMN "org_id" SET NOT NULL;
ALTER TABLE "public"."tickets" DROP CONSTRAINT "tickets_org_id_present";

-- enforce.tickets.tickets_org_id_fk
ALTER TABLE "public"."tickets" ADD CONSTRAINT "tickets_org_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."organizations" ("org_id") NOT VALID;

-- enforce.tickets.tickets_org_id_fk.validate
ALTER TABLE "public"."tickets" VALIDATE CONSTRAINT "tickets_org_id_fk";

-- enforce.tickets.tickets_org_id_idx.build
CREATE INDEX CONCURRENTLY "tickets_org_id_idx" ON "public"."tickets" USING btree ("org_id");

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

-- observe.tickets.analyze
ANALYZE "public"."tickets" ("org_id");

-- observe.tickets.isolate
CREATE POLICY "tenant_isolation" ON "public"."tickets" AS PERMISSIVE FOR ALL TO PUBLIC USING ("org_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("org_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."tickets" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tickets'))) WITH CHECK ((SELECT tenantry.observe('tickets')));
ALTER TABLE "public"."tickets" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tickets" FORCE ROW LEVEL SECURITY;

-- observe.organizations.isolate
CREATE POLICY "tenant_isolation" ON "public"."organizations" AS PERMISSIVE FOR ALL TO PUBLIC USING ("org_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("org_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."organizations" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('organizations'))) WITH CHECK ((SELECT tenantry.observe('organizations')));
ALTER TABLE "public"."organizations" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."organizations" FORCE ROW LEVEL SECURITY;

-- observe.organizations.grants
GRANT SELECT ON TABLE "public"."organizations" TO "app_user";

-- observe.tickets.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."tickets" TO "app_user";

-- cutover.tickets.observe
DROP POLICY IF EXISTS "observe" ON "public"."tickets";

-- cutover.organizations.observe
DROP POLICY IF EXISTS "observe" ON "public"."organizations";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.tickets.fill
DROP FUNCTION "tenantry"."fill_8826e91d05472e45"() CASCADE;
