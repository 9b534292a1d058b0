-- note: code to edit: ON CONFLICT (email) on crm.people becomes ON CONFLICT (tenant_id, email)
-- note: code to edit: what looks for people_email_key in an error meets people_tenant_email_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.create
CREATE TABLE "Platform"."tenants" (
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
INSERT INTO "Platform"."tenants" ("id", name, slug)
VALUES ('first', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.crm.calls.tenant_id
ALTER TABLE "crm"."calls" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "crm"."calls" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.crm.people.tenant_id
ALTER TABLE "crm"."people" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "crm"."people" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.crm.calls.tenant_id.check
ALTER TABLE "crm"."calls" ADD CONSTRAINT "calls_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.crm.calls.tenant_id.validate
ALTER TABLE "crm"."calls" VALIDATE CONSTRAINT "calls_tenant_id_present";

-- enforce.crm.calls.tenant_id.not_null
ALTER TABLE "crm"."calls" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "crm"."calls" DROP CONSTRAINT "calls_tenant_id_present";

-- enforce.crm.people.tenant_id.check
ALTER TABLE "crm"."people" ADD CONSTRAINT "people_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.crm.people.tenant_id.validate
ALTER TABLE "crm"."people" VALIDATE CONSTRAINT "people_tenant_id_present";

-- enforce.crm.people.tenant_id.not_null
ALTER TABLE "crm"."people" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "crm"."people" DROP CONSTRAINT "people_tenant_id_present";

-- enforce.crm.people.people_tenant_email_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "people_tenant_email_unique" ON "crm"."people" USING btree ("tenant_id", "email");

-- enforce.crm.people.people_tenant_email_unique
ALTER TABLE "crm"."people" ADD CONSTRAINT "people_tenant_email_unique" UNIQUE USING INDEX "people_tenant_email_unique";

-- enforce.crm.people.people_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "people_tenant_id_unique" ON "crm"."people" USING btree ("tenant_id", "id");

-- enforce.crm.people.people_tenant_id_unique
ALTER TABLE "crm"."people" ADD CONSTRAINT "people_tenant_id_unique" UNIQUE USING INDEX "people_tenant_id_unique";

-- enforce.crm.calls.calls_tenant_id_fk
ALTER TABLE "crm"."calls" ADD CONSTRAINT "calls_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "Platform"."tenants" ("id") NOT VALID;

-- enforce.crm.calls.calls_tenant_id_fk.validate
ALTER TABLE "crm"."calls" VALIDATE CONSTRAINT "calls_tenant_id_fk";

-- enforce.crm.people.people_tenant_id_fk
ALTER TABLE "crm"."people" ADD CONSTRAINT "people_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "Platform"."tenants" ("id") NOT VALID;

-- enforce.crm.people.people_tenant_id_fk.validate
ALTER TABLE "crm"."people" VALIDATE CONSTRAINT "people_tenant_id_fk";

-- enforce.crm.calls.calls_tenant_person_fk
ALTER TABLE "crm"."calls" ADD CONSTRAINT "calls_tenant_person_fk" FOREIGN KEY ("tenant_id", "person_id") REFERENCES "crm"."people" ("tenant_id", "id") NOT VALID;

-- enforce.crm.calls.calls_tenant_person_fk.validate
ALTER TABLE "crm"."calls" VALIDATE CONSTRAINT "calls_tenant_person_fk";

-- enforce.crm.calls.calls_person_fkey.drop
ALTER TABLE "crm"."calls" DROP CONSTRAINT "calls_person_fkey";

-- enforce.crm.calls.calls_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "calls_tenant_id_idx" ON "crm"."calls" USING btree ("tenant_id");

-- enforce.crm.people.people_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "people_tenant_id_idx" ON "crm"."people" USING btree ("tenant_id");

-- audit.create
CREATE TABLE "Platform"."audit_logs" (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  actor_id text,
  tenant_id text,
  action text NOT NULL,
  resource_type text,
  resource_id text,
  ip_address text,
  metadata jsonb,
  created_at timestamp with time zone NOT NULL DEFAULT now()
);

-- audit.audit_logs_tenant_created_idx
CREATE INDEX CONCURRENTLY "audit_logs_tenant_created_idx" ON "Platform"."audit_logs" USING btree ("tenant_id", "created_at" DESC);

-- audit.audit_logs_actor_idx
CREATE INDEX CONCURRENTLY "audit_logs_actor_idx" ON "Platform"."audit_logs" USING btree ("actor_id", "created_at" DESC);

-- audit.audit_logs_action_idx
CREATE INDEX CONCURRENTLY "audit_logs_action_idx" ON "Platform"."audit_logs" USING btree ("action", "created_at" DESC);

-- audit.prevent_audit_modification
CREATE OR REPLACE FUNCTION "Platform"."prevent_audit_modification"() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'Direct modification of audit_logs is forbidden';
END
$$;

-- audit.Platform.audit_logs.no_audit_update
CREATE TRIGGER "no_audit_update" BEFORE UPDATE OR DELETE ON "Platform"."audit_logs" FOR EACH ROW EXECUTE FUNCTION "Platform"."prevent_audit_modification"();

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.Platform.audit_logs.no_audit_statement
CREATE TRIGGER "no_audit_statement" BEFORE UPDATE OR DELETE ON "Platform"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "Platform"."prevent_audit_modification"();

-- harden.Platform.audit_logs.no_audit_truncate
CREATE TRIGGER "no_audit_truncate" BEFORE TRUNCATE ON "Platform"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "Platform"."prevent_audit_modification"();

-- harden.Platform.audit_logs.no_audit_update.always
ALTER TABLE "Platform"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_update";

-- harden.Platform.audit_logs.no_audit_statement.always
ALTER TABLE "Platform"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_statement";

-- harden.Platform.audit_logs.no_audit_truncate.always
ALTER TABLE "Platform"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_truncate";

-- harden.Platform.audit_logs.tenant_id.check
ALTER TABLE "Platform"."audit_logs" ADD CONSTRAINT "audit_logs_tenant_id_not_empty" CHECK ("tenant_id" <> '') NOT VALID;

-- harden.Platform.audit_logs.tenant_id.validate
ALTER TABLE "Platform"."audit_logs" VALIDATE CONSTRAINT "audit_logs_tenant_id_not_empty";

-- harden.schema.Platform.app_user
GRANT USAGE ON SCHEMA "Platform" TO "app_user";

-- harden.schema.crm.app_user
GRANT USAGE ON SCHEMA "crm" TO "app_user";

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.crm.calls.analyze
ANALYZE "crm"."calls" ("tenant_id");

-- observe.crm.calls.isolate
CREATE POLICY "tenant_isolation" ON "crm"."calls" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "crm"."calls" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('crm.calls'))) WITH CHECK ((SELECT tenantry.observe('crm.calls')));
ALTER TABLE "crm"."calls" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "crm"."calls" FORCE ROW LEVEL SECURITY;

-- observe.crm.people.analyze
ANALYZE "crm"."people" ("tenant_id");

-- observe.crm.people.isolate
CREATE POLICY "tenant_isolation" ON "crm"."people" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "crm"."people" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('crm.people'))) WITH CHECK ((SELECT tenantry.observe('crm.people')));
ALTER TABLE "crm"."people" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "crm"."people" FORCE ROW LEVEL SECURITY;

-- observe.Platform.tenants.isolate
CREATE POLICY "tenant_isolation" ON "Platform"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "Platform"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('Platform.tenants'))) WITH CHECK ((SELECT tenantry.observe('Platform.tenants')));
ALTER TABLE "Platform"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Platform"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.Platform.audit_logs.isolate
CREATE POLICY "tenant_isolation" ON "Platform"."audit_logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "Platform"."audit_logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('Platform.audit_logs'))) WITH CHECK ((SELECT tenantry.observe('Platform.audit_logs')));
ALTER TABLE "Platform"."audit_logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Platform"."audit_logs" FORCE ROW LEVEL SECURITY;

-- observe.Platform.tenants.grants
GRANT SELECT ON TABLE "Platform"."tenants" TO "app_user";

-- observe.crm.calls.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "crm"."calls" TO "app_user";

-- observe.crm.people.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "crm"."people" TO "app_user";

-- observe.Platform.audit_logs.grants
GRANT SELECT, INSERT ON TABLE "Platform"."audit_logs" TO "app_user";

-- cutover.crm.people.people_email_key.drop
ALTER TABLE "crm"."people" DROP CONSTRAINT "people_email_key";

-- cutover.crm.calls.observe
DROP POLICY IF EXISTS "observe" ON "crm"."calls";

-- cutover.crm.people.observe
DROP POLICY IF EXISTS "observe" ON "crm"."people";

-- cutover.Platform.tenants.observe
DROP POLICY IF EXISTS "observe" ON "Platform"."tenants";

-- cutover.Platform.audit_logs.observe
DROP POLICY IF EXISTS "observe" ON "Platform"."audit_logs";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.crm.calls.tenant_id.default
ALTER TABLE "crm"."calls" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.crm.people.tenant_id.default
ALTER TABLE "crm"."people" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
