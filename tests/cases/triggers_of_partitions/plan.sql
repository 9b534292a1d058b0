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

-- columns.events.tenant_id
ALTER TABLE "public"."events" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."events" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.events.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_bb941f4d59dc76f9"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT k."id" FROM "public"."tenants" k WHERE k."slug" = a."team") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."events" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_bb941f4d59dc76f9"();

-- backfill.events.tenants
INSERT INTO "public"."tenants" (name, slug)
SELECT v.value, v.value
FROM (SELECT DISTINCT "team"::text AS value FROM "public"."events") v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM "public"."tenants" k WHERE k."slug"::text = v.value);

-- backfill.events.tenant_id
ALTER TABLE "public"."events" DISABLE TRIGGER "keep";
ALTER TABLE "public"."events" DISABLE TRIGGER "keep_all";
ALTER TABLE "public"."events_2024" DISABLE TRIGGER "keep_part";
ALTER TABLE "public"."events_2024" DISABLE TRIGGER "quiet";
ALTER TABLE "public"."events_rest" DISABLE TRIGGER "keep";
UPDATE "public"."events" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."slug" = a."team")
WHERE a."tenant_id" IS NULL;
ALTER TABLE "public"."events" ENABLE TRIGGER "keep";
ALTER TABLE "public"."events" ENABLE TRIGGER "keep_all";
ALTER TABLE "public"."events_2024" ENABLE TRIGGER "keep_part";
ALTER TABLE "public"."events_2024" ENABLE TRIGGER "quiet";
ALTER TABLE "public"."events_rest" DISABLE TRIGGER "keep";

-- enforce.events.tenant_id.check
ALTER TABLE "public"."events" ADD CONSTRAINT "events_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.events.tenant_id.validate
ALTER TABLE "public"."events" VALIDATE CONSTRAINT "events_tenant_id_present";

-- enforce.events.tenant_id.not_null
ALTER TABLE "public"."events" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."events" DROP CONSTRAINT "events_tenant_id_present";

-- enforce.events.events_tenant_id_fk
ALTER TABLE "public"."events" ADD CONSTRAINT "events_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.events.events_tenant_id_fk.validate
ALTER TABLE "public"."events" VALIDATE CONSTRAINT "events_tenant_id_fk";

-- enforce.events_2024.events_2024_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "events_2024_tenant_id_idx" ON "public"."events_2024" USING btree ("tenant_id");

-- enforce.events_rest.events_rest_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "events_rest_tenant_id_idx" ON "public"."events_rest" USING btree ("tenant_id");

-- enforce.events.events_tenant_id_idx.build
CREATE INDEX "events_tenant_id_idx" ON "public"."events" USING btree ("tenant_id");

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

-- observe.events_rest.analyze
ANALYZE "public"."events_rest" ("tenant_id");

-- observe.events_rest.isolate
CREATE POLICY "tenant_isolation" ON "public"."events_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."events_rest" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('events_rest'))) WITH CHECK ((SELECT tenantry.observe('events_rest')));
ALTER TABLE "public"."events_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."events_rest" FORCE ROW LEVEL SECURITY;

-- observe.events_2024.analyze
ANALYZE "public"."events_2024" ("tenant_id");

-- observe.events_2024.isolate
CREATE POLICY "tenant_isolation" ON "public"."events_2024" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."events_2024" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('events_2024'))) WITH CHECK ((SELECT tenantry.observe('events_2024')));
ALTER TABLE "public"."events_2024" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."events_2024" FORCE ROW LEVEL SECURITY;

-- observe.events.isolate
CREATE POLICY "tenant_isolation" ON "public"."events" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."events" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('events'))) WITH CHECK ((SELECT tenantry.observe('events')));
ALTER TABLE "public"."events" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."events" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.events.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."events" TO "app_user";

-- cutover.events.observe
DROP POLICY IF EXISTS "observe" ON "public"."events";

-- cutover.events_2024.observe
DROP POLICY IF EXISTS "observe" ON "public"."events_2024";

-- cutover.events_rest.observe
DROP POLICY IF EXISTS "observe" ON "public"."events_rest";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.events.fill
DROP FUNCTION "tenantry"."fill_bb941f4d59dc76f9"() CASCADE;
