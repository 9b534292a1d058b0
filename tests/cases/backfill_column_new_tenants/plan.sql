-- note: code to edit: ON CONFLICT (customer, title) on projects becomes ON CONFLICT (tenant_id, customer, title)
-- note: code to edit: what looks for projects_customer_title_key in an error meets projects_tenant_customer_title_unique, without a DETAIL
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

-- columns.bills.tenant_id
ALTER TABLE "public"."bills" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."bills" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.projects.tenant_id
ALTER TABLE "public"."projects" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."projects" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.bills.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_4470b324f7800cc8"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT k."id" FROM "public"."tenants" k WHERE k."slug" = a."for Customer") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."bills" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_4470b324f7800cc8"();

-- columns.projects.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_4977af226e0fd81a"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT k."id" FROM "public"."tenants" k WHERE k."slug"::text = a."customer"::text) FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."projects" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_4977af226e0fd81a"();

-- backfill.bills.tenants
INSERT INTO "public"."tenants" (name, slug)
SELECT v.value, v.value
FROM (SELECT DISTINCT "for Customer"::text AS value FROM "public"."bills") v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM "public"."tenants" k WHERE k."slug"::text = v.value);

-- backfill.projects.tenants
INSERT INTO "public"."tenants" (name, slug)
SELECT v.value, v.value
FROM (SELECT DISTINCT "customer"::text AS value FROM "public"."projects") v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM "public"."tenants" k WHERE k."slug"::text = v.value);

-- backfill.bills.tenant_id
UPDATE "public"."bills" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."slug" = a."for Customer")
WHERE a."tenant_id" IS NULL;

-- backfill.projects.tenant_id
UPDATE "public"."projects" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."slug"::text = a."customer"::text)
WHERE a."tenant_id" IS NULL;

-- enforce.bills.tenant_id.check
ALTER TABLE "public"."bills" ADD CONSTRAINT "bills_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.bills.tenant_id.validate
ALTER TABLE "public"."bills" VALIDATE CONSTRAINT "bills_tenant_id_present";

-- enforce.bills.tenant_id.not_null
ALTER TABLE "public"."bills" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."bills" DROP CONSTRAINT "bills_tenant_id_present";

-- enforce.projects.tenant_id.check
ALTER TABLE "public"."projects" ADD CONSTRAINT "projects_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.projects.tenant_id.validate
ALTER TABLE "public"."projects" VALIDATE CONSTRAINT "projects_tenant_id_present";

-- enforce.projects.tenant_id.not_null
ALTER TABLE "public"."projects" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."projects" DROP CONSTRAINT "projects_tenant_id_present";

-- enforce.projects.projects_tenant_customer_title_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "projects_tenant_customer_title_unique" ON "public"."projects" USING btree ("tenant_id", "customer", "title");

-- enforce.projects.projects_tenant_customer_title_unique
ALTER TABLE "public"."projects" ADD CONSTRAINT "projects_tenant_customer_title_unique" UNIQUE USING INDEX "projects_tenant_customer_title_unique";

-- enforce.bills.bills_tenant_id_fk
ALTER TABLE "public"."bills" ADD CONSTRAINT "bills_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.bills.bills_tenant_id_fk.validate
ALTER TABLE "public"."bills" VALIDATE CONSTRAINT "bills_tenant_id_fk";

-- enforce.projects.projects_tenant_id_fk
ALTER TABLE "public"."projects" ADD CONSTRAINT "projects_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.projects.projects_tenant_id_fk.validate
ALTER TABLE "public"."projects" VALIDATE CONSTRAINT "projects_tenant_id_fk";

-- enforce.bills.bills_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "bills_tenant_id_idx" ON "public"."bills" USING btree ("tenant_id");

-- enforce.projects.projects_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "projects_tenant_id_idx" ON "public"."projects" USING btree ("tenant_id");

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

-- observe.bills.analyze
ANALYZE "public"."bills" ("tenant_id");

-- observe.bills.isolate
CREATE POLICY "tenant_isolation" ON "public"."bills" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."bills" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('bills'))) WITH CHECK ((SELECT tenantry.observe('bills')));
ALTER TABLE "public"."bills" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."bills" FORCE ROW LEVEL SECURITY;

-- observe.projects.analyze
ANALYZE "public"."projects" ("tenant_id");

-- observe.projects.isolate
CREATE POLICY "tenant_isolation" ON "public"."projects" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."projects" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('projects'))) WITH CHECK ((SELECT tenantry.observe('projects')));
ALTER TABLE "public"."projects" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."projects" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.bills.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."bills" TO "app_user";

-- observe.projects.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."projects" TO "app_user";

-- cutover.projects.projects_customer_title_key.drop
ALTER TABLE "public"."projects" DROP CONSTRAINT "projects_customer_title_key";

-- cutover.bills.observe
DROP POLICY IF EXISTS "observe" ON "public"."bills";

-- cutover.projects.observe
DROP POLICY IF EXISTS "observe" ON "public"."projects";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.bills.fill
DROP FUNCTION "tenantry"."fill_4470b324f7800cc8"() CASCADE;

-- cutover.projects.fill
DROP FUNCTION "tenantry"."fill_4977af226e0fd81a"() CASCADE;
