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

-- audit.create
CREATE TABLE "trail"."events%" (
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

-- audit.events%_tenant_created_idx
CREATE INDEX CONCURRENTLY "events%_tenant_created_idx" ON "trail"."events%" USING btree ("tenant_id", "created_at" DESC);

-- audit.events%_actor_idx2
CREATE INDEX CONCURRENTLY "events%_actor_idx2" ON "trail"."events%" USING btree ("actor_id", "created_at" DESC);

-- audit.events%_action_idx
CREATE INDEX CONCURRENTLY "events%_action_idx" ON "trail"."events%" USING btree ("action", "created_at" DESC);

-- audit.prevent_audit_modification
CREATE OR REPLACE FUNCTION "trail"."prevent_audit_modification"() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'Direct modification of events%% is forbidden';
END
$$;

-- audit.trail.events%.no_audit_update
CREATE TRIGGER "no_audit_update" BEFORE UPDATE OR DELETE ON "trail"."events%" FOR EACH ROW EXECUTE FUNCTION "trail"."prevent_audit_modification"();

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.trail.events%.no_audit_statement
CREATE TRIGGER "no_audit_statement" BEFORE UPDATE OR DELETE ON "trail"."events%" FOR EACH STATEMENT EXECUTE FUNCTION "trail"."prevent_audit_modification"();

-- harden.trail.events%.no_audit_truncate
CREATE TRIGGER "no_audit_truncate" BEFORE TRUNCATE ON "trail"."events%" FOR EACH STATEMENT EXECUTE FUNCTION "trail"."prevent_audit_modification"();

-- harden.trail.events%.no_audit_update.always
ALTER TABLE "trail"."events%" ENABLE ALWAYS TRIGGER "no_audit_update";

-- harden.trail.events%.no_audit_statement.always
ALTER TABLE "trail"."events%" ENABLE ALWAYS TRIGGER "no_audit_statement";

-- harden.trail.events%.no_audit_truncate.always
ALTER TABLE "trail"."events%" ENABLE ALWAYS TRIGGER "no_audit_truncate";

-- harden.trail.events%.tenant_id.check
ALTER TABLE "trail"."events%" ADD CONSTRAINT "events%_tenant_id_not_empty" CHECK ("tenant_id" <> '') NOT VALID;

-- harden.trail.events%.tenant_id.validate
ALTER TABLE "trail"."events%" VALIDATE CONSTRAINT "events%_tenant_id_not_empty";

-- harden.schema.trail.app_user
GRANT USAGE ON SCHEMA "trail" TO "app_user";

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

-- observe.trail.events%.isolate
CREATE POLICY "tenant_isolation" ON "trail"."events%" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "trail"."events%" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('trail.events%'))) WITH CHECK ((SELECT tenantry.observe('trail.events%')));
ALTER TABLE "trail"."events%" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "trail"."events%" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.desks.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."desks" TO "app_user";

-- observe.trail.events%.grants
GRANT SELECT, INSERT ON TABLE "trail"."events%" TO "app_user";

-- cutover.desks.observe
DROP POLICY IF EXISTS "observe" ON "public"."desks";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";

-- cutover.trail.events%.observe
DROP POLICY IF EXISTS "observe" ON "trail"."events%";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.desks.tenant_id.default
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
