-- note: code to edit: ON CONFLICT (name) on machines becomes ON CONFLICT (tenant_id, name)
-- note: code to edit: what looks for machines_name_key in an error meets machines_tenant_name_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.create
CREATE TABLE "public"."tenants" (
  "id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  slug text NOT NULL CONSTRAINT "tenants_slug_unique" UNIQUE,
  domain text,
  logo text,
  is_active boolean NOT NULL DEFAULT true,
  plan text NOT NULL DEFAULT 'freemium',
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now()
);

-- tenants.default
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('00000000-0000-4000-8000-000000000001', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.machines.tenant_id
ALTER TABLE "public"."machines" ADD COLUMN "tenant_id" uuid DEFAULT '00000000-0000-4000-8000-000000000001'::uuid;
ALTER TABLE "public"."machines" ALTER COLUMN "tenant_id" SET DEFAULT (coalesce(nullif(current_setting('app.current_tenant_id', true), ''), '00000000-0000-4000-8000-000000000001'))::uuid;

-- columns.visits.tenant_id
ALTER TABLE "public"."visits" ADD COLUMN "tenant_id" uuid;
ALTER TABLE "public"."visits" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;

-- columns.visits.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_01d3ed41186d7ab5"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT k."id" FROM "public"."tenants" k WHERE k."name" = a."site") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."visits" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_01d3ed41186d7ab5"();

-- backfill.visits.tenants
INSERT INTO "public"."tenants" (name, slug)
SELECT v.value, trim(both '-' from lower(regexp_replace(v.value, '[^[:alnum:]]+', '-', 'g')))
FROM (SELECT DISTINCT "site"::text AS value FROM "public"."visits") v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM "public"."tenants" k WHERE k."name"::text = v.value);

-- backfill.visits.tenant_id
UPDATE "public"."visits" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."name" = a."site")
WHERE a."tenant_id" IS NULL;

-- enforce.machines.tenant_id.check
ALTER TABLE "public"."machines" ADD CONSTRAINT "machines_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.machines.tenant_id.validate
ALTER TABLE "public"."machines" VALIDATE CONSTRAINT "machines_tenant_id_present";

-- enforce.machines.tenant_id.not_null
ALTER TABLE "public"."machines" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."machines" DROP CONSTRAINT "machines_tenant_id_present";

-- enforce.visits.tenant_id.check
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.visits.tenant_id.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_id_present";

-- enforce.visits.tenant_id.not_null
ALTER TABLE "public"."visits" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."visits" DROP CONSTRAINT "visits_tenant_id_present";

-- enforce.machines.machines_tenant_name_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "machines_tenant_name_unique" ON "public"."machines" USING btree ("tenant_id", "name");

-- enforce.machines.machines_tenant_name_unique
ALTER TABLE "public"."machines" ADD CONSTRAINT "machines_tenant_name_unique" UNIQUE USING INDEX "machines_tenant_name_unique";

-- enforce.machines.machines_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "machines_tenant_id_unique" ON "public"."machines" USING btree ("tenant_id", "id");

-- enforce.machines.machines_tenant_id_unique
ALTER TABLE "public"."machines" ADD CONSTRAINT "machines_tenant_id_unique" UNIQUE USING INDEX "machines_tenant_id_unique";

-- enforce.machines.machines_tenant_id_fk
ALTER TABLE "public"."machines" ADD CONSTRAINT "machines_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.machines.machines_tenant_id_fk.validate
ALTER TABLE "public"."machines" VALIDATE CONSTRAINT "machines_tenant_id_fk";

-- enforce.visits.visits_tenant_id_fk
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.visits.visits_tenant_id_fk.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_id_fk";

-- enforce.visits.visits_tenant_machine_fk
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_machine_fk" FOREIGN KEY ("tenant_id", "machine_id") REFERENCES "public"."machines" ("tenant_id", "id") ON DELETE SET NULL ("machine_id") NOT VALID;

-- enforce.visits.visits_tenant_machine_fk.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_machine_fk";

-- enforce.visits.visits_machine_fkey.drop
ALTER TABLE "public"."visits" DROP CONSTRAINT "visits_machine_fkey";

-- enforce.machines.machines_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "machines_tenant_id_idx" ON "public"."machines" USING btree ("tenant_id");

-- enforce.visits.visits_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "visits_tenant_id_idx" ON "public"."visits" USING btree ("tenant_id");

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

-- observe.machines.analyze
ANALYZE "public"."machines" ("tenant_id");

-- observe.machines.isolate
CREATE POLICY "tenant_isolation" ON "public"."machines" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."machines" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('machines'))) WITH CHECK ((SELECT tenantry.observe('machines')));
ALTER TABLE "public"."machines" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."machines" FORCE ROW LEVEL SECURITY;

-- observe.visits.analyze
ANALYZE "public"."visits" ("tenant_id");

-- observe.visits.isolate
CREATE POLICY "tenant_isolation" ON "public"."visits" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."visits" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('visits'))) WITH CHECK ((SELECT tenantry.observe('visits')));
ALTER TABLE "public"."visits" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."visits" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid) WITH CHECK ("id" = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.machines.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."machines" TO "app_user";

-- observe.visits.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."visits" TO "app_user";

-- cutover.machines.machines_name_key.drop
ALTER TABLE "public"."machines" DROP CONSTRAINT "machines_name_key";

-- cutover.machines.observe
DROP POLICY IF EXISTS "observe" ON "public"."machines";

-- cutover.visits.observe
DROP POLICY IF EXISTS "observe" ON "public"."visits";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.visits.fill
DROP FUNCTION "tenantry"."fill_01d3ed41186d7ab5"() CASCADE;

-- cutover.machines.tenant_id.default
ALTER TABLE "public"."machines" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::uuid;
