-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

-- columns.desks.tenant_id
ALTER TABLE "public"."desks" ADD COLUMN "tenant_id" character varying(8);
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

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

-- enforce.desks.isolate
ANALYZE "public"."desks" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."desks" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."desks" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."desks" FORCE ROW LEVEL SECURITY;

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.desks.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."desks" TO "app_user";
