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

-- columns.User Accounts.tenant_id
ALTER TABLE "public"."User Accounts" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."User Accounts" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.User Accounts.tenant_id.check
ALTER TABLE "public"."User Accounts" ADD CONSTRAINT "User Accounts_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.User Accounts.tenant_id.validate
ALTER TABLE "public"."User Accounts" VALIDATE CONSTRAINT "User Accounts_tenant_id_present";

-- enforce.User Accounts.tenant_id.not_null
ALTER TABLE "public"."User Accounts" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."User Accounts" DROP CONSTRAINT "User Accounts_tenant_id_present";

-- enforce.User Accounts.User Accounts_tenant_id_fk
ALTER TABLE "public"."User Accounts" ADD CONSTRAINT "User Accounts_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.User Accounts.User Accounts_tenant_id_fk.validate
ALTER TABLE "public"."User Accounts" VALIDATE CONSTRAINT "User Accounts_tenant_id_fk";

-- enforce.User Accounts.User Accounts_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "User Accounts_tenant_id_idx" ON "public"."User Accounts" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.User Accounts.users_email_key.global
COMMENT ON CONSTRAINT "users_email_key" ON "public"."User Accounts" IS 'Unique across tenants: tokens are found by the address';

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.User Accounts.analyze
ANALYZE "public"."User Accounts" ("tenant_id");

-- observe.User Accounts.isolate
CREATE POLICY "tenant_isolation" ON "public"."User Accounts" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."User Accounts" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('User Accounts'))) WITH CHECK ((SELECT tenantry.observe('User Accounts')));
ALTER TABLE "public"."User Accounts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."User Accounts" FORCE ROW LEVEL SECURITY;

-- observe.tokens.isolate
CREATE POLICY "tenant_isolation" ON "public"."tokens" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."User Accounts" p WHERE p."E-Mail" = "public"."tokens"."identifier" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."User Accounts" p WHERE p."E-Mail" = "public"."tokens"."identifier" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
CREATE POLICY "observe" ON "public"."tokens" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tokens'))) WITH CHECK ((SELECT tenantry.observe('tokens')));
ALTER TABLE "public"."tokens" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tokens" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.User Accounts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."User Accounts" TO "app_user";

-- observe.tokens.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."tokens" TO "app_user";

-- cutover.User Accounts.observe
DROP POLICY IF EXISTS "observe" ON "public"."User Accounts";

-- cutover.tokens.observe
DROP POLICY IF EXISTS "observe" ON "public"."tokens";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.User Accounts.tenant_id.default
ALTER TABLE "public"."User Accounts" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
