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

-- tenants.default
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('first', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.desks.tenant_id
ALTER TABLE "public"."desks" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

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

-- audit.audit_logs_tenant_created_idx
CREATE INDEX CONCURRENTLY "audit_logs_tenant_created_idx" ON "public"."audit_logs" USING btree ("tenant_id", "created_at" DESC);

-- audit.audit_logs_action_idx2
CREATE INDEX CONCURRENTLY "audit_logs_action_idx2" ON "public"."audit_logs" USING btree ("action", "created_at" DESC);

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.audit_logs.no_audit_statement
CREATE TRIGGER "no_audit_statement" BEFORE UPDATE OR DELETE ON "public"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "public"."prevent_audit_modification"();

-- harden.audit_logs.no_audit_truncate
CREATE TRIGGER "no_audit_truncate" BEFORE TRUNCATE ON "public"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "public"."prevent_audit_modification"();

-- harden.audit_logs.no_audit_update.always
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_update";

-- harden.audit_logs.no_audit_statement.always
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_statement";

-- harden.audit_logs.no_audit_truncate.always
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_truncate";

-- harden.audit_logs.tenant_id.check
ALTER TABLE "public"."audit_logs" ADD CONSTRAINT "audit_logs_tenant_id_not_empty" CHECK ("tenant_id" <> '') NOT VALID;

-- harden.audit_logs.tenant_id.validate
ALTER TABLE "public"."audit_logs" VALIDATE CONSTRAINT "audit_logs_tenant_id_not_empty";

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

-- observe.audit_logs.isolate
CREATE POLICY "tenant_isolation" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('audit_logs'))) WITH CHECK ((SELECT tenantry.observe('audit_logs')));
ALTER TABLE "public"."audit_logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."audit_logs" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.desks.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."desks" TO "app_user";

-- observe.audit_logs.grants
GRANT SELECT, INSERT ON TABLE "public"."audit_logs" TO "app_user";

-- cutover.desks.observe
DROP POLICY IF EXISTS "observe" ON "public"."desks";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";

-- cutover.audit_logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."audit_logs";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.desks.tenant_id.default
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
