-- note: code to edit: ON CONFLICT (label) on desks becomes ON CONFLICT (tenant_id, label)
-- note: code to edit: what looks for desks_label_key in an error meets desks_tenant_label_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

-- columns.drawers.tenant_id
ALTER TABLE "public"."drawers" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."drawers" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.drawers.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_187dda3aac4f4581"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT p."tenant_id" FROM "public"."desks" p WHERE p."id" = a."desk_id") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."drawers" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_187dda3aac4f4581"();

-- backfill.drawers.tenant_id
UPDATE "public"."drawers" AS a SET "tenant_id" = (SELECT p."tenant_id" FROM "public"."desks" p WHERE p."id" = a."desk_id")
WHERE a."tenant_id" IS NULL;

-- enforce.drawers.tenant_id.check
ALTER TABLE "public"."drawers" ADD CONSTRAINT "drawers_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.drawers.tenant_id.validate
ALTER TABLE "public"."drawers" VALIDATE CONSTRAINT "drawers_tenant_id_present";

-- enforce.drawers.tenant_id.not_null
ALTER TABLE "public"."drawers" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."drawers" DROP CONSTRAINT "drawers_tenant_id_present";

-- enforce.desks.desks_tenant_label_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "desks_tenant_label_unique" ON "public"."desks" USING btree ("tenant_id", "label");

-- enforce.desks.desks_tenant_label_unique
ALTER TABLE "public"."desks" ADD CONSTRAINT "desks_tenant_label_unique" UNIQUE USING INDEX "desks_tenant_label_unique";

-- enforce.desks.desks_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "desks_tenant_id_unique" ON "public"."desks" USING btree ("tenant_id", "id");

-- enforce.desks.desks_tenant_id_unique
ALTER TABLE "public"."desks" ADD CONSTRAINT "desks_tenant_id_unique" UNIQUE USING INDEX "desks_tenant_id_unique";

-- enforce.drawers.drawers_tenant_id_fk
ALTER TABLE "public"."drawers" ADD CONSTRAINT "drawers_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.drawers.drawers_tenant_id_fk.validate
ALTER TABLE "public"."drawers" VALIDATE CONSTRAINT "drawers_tenant_id_fk";

-- enforce.drawers.drawers_tenant_desk_fk
ALTER TABLE "public"."drawers" ADD CONSTRAINT "drawers_tenant_desk_fk" FOREIGN KEY ("tenant_id", "desk_id") REFERENCES "public"."desks" ("tenant_id", "id") NOT VALID;

-- enforce.drawers.drawers_tenant_desk_fk.validate
ALTER TABLE "public"."drawers" VALIDATE CONSTRAINT "drawers_tenant_desk_fk";

-- enforce.drawers.drawers_desk_fkey.drop
ALTER TABLE "public"."drawers" DROP CONSTRAINT "drawers_desk_fkey";

-- enforce.desks.desks_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "desks_tenant_id_idx" ON "public"."desks" USING btree ("tenant_id");

-- enforce.drawers.drawers_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "drawers_tenant_id_idx" ON "public"."drawers" USING btree ("tenant_id");

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
ANALYZE "public"."drawers" ("tenant_id");

-- observe.drawers.isolate
CREATE POLICY "tenant_isolation" ON "public"."drawers" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."drawers" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('drawers'))) WITH CHECK ((SELECT tenantry.observe('drawers')));
ALTER TABLE "public"."drawers" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."drawers" FORCE ROW LEVEL SECURITY;

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

-- cutover.desks.desks_label_key.drop
ALTER TABLE "public"."desks" DROP CONSTRAINT "desks_label_key";

-- cutover.desks.observe
DROP POLICY IF EXISTS "observe" ON "public"."desks";

-- cutover.drawers.observe
DROP POLICY IF EXISTS "observe" ON "public"."drawers";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.drawers.fill
DROP FUNCTION "tenantry"."fill_187dda3aac4f4581"() CASCADE;

-- cutover.desks.tenant_id.default
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
