-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

-- columns.messages.tenant_id
ALTER TABLE "public"."messages" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."messages" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.messages.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_df4fb1cdf7df49fb"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (case when "the 100% sender" like '%''%' then 'it''s'
     when "the 100% sender" like '%#%' escape '#' then '50%'
     when "the 100% sender" ~ '^[[:alpha:]]:' then format('%s:%s', 'a'::text, $$b$$) -- %(first)s
     when length("the 100% sender") % 4 = 0 then 'nobody'
     else E'\\rest' end
)::text FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."messages" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_df4fb1cdf7df49fb"();

-- backfill.messages.tenant_id
UPDATE "public"."messages" AS a SET "tenant_id" = (case when "the 100% sender" like '%''%' then 'it''s'
     when "the 100% sender" like '%#%' escape '#' then '50%'
     when "the 100% sender" ~ '^[[:alpha:]]:' then format('%s:%s', 'a'::text, $$b$$) -- %(first)s
     when length("the 100% sender") % 4 = 0 then 'nobody'
     else E'\\rest' end
)::text
WHERE a."tenant_id" IS NULL;

-- enforce.messages.tenant_id.check
ALTER TABLE "public"."messages" ADD CONSTRAINT "messages_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.messages.tenant_id.validate
ALTER TABLE "public"."messages" VALIDATE CONSTRAINT "messages_tenant_id_present";

-- enforce.messages.tenant_id.not_null
ALTER TABLE "public"."messages" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."messages" DROP CONSTRAINT "messages_tenant_id_present";

-- enforce.messages.messages_tenant_id_fk
ALTER TABLE "public"."messages" ADD CONSTRAINT "messages_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.messages.messages_tenant_id_fk.validate
ALTER TABLE "public"."messages" VALIDATE CONSTRAINT "messages_tenant_id_fk";

-- enforce.messages.messages_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "messages_tenant_id_idx" ON "public"."messages" USING btree ("tenant_id");

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

-- observe.messages.analyze
ANALYZE "public"."messages" ("tenant_id");

-- observe.messages.isolate
CREATE POLICY "tenant_isolation" ON "public"."messages" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."messages" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('messages'))) WITH CHECK ((SELECT tenantry.observe('messages')));
ALTER TABLE "public"."messages" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."messages" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.messages.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."messages" TO "app_user";

-- cutover.messages.observe
DROP POLICY IF EXISTS "observe" ON "public"."messages";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.messages.fill
DROP FUNCTION "tenantry"."fill_df4fb1cdf7df49fb"() CASCADE;
