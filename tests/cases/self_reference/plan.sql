-- note: code to edit: ON CONFLICT (code) on accounts becomes ON CONFLICT (tenant_id, code)
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

-- columns.accounts.tenant_id
ALTER TABLE "public"."accounts" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."accounts" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.folders.tenant_id
ALTER TABLE "public"."folders" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."folders" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.accounts.tenant_id.check
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.accounts.tenant_id.validate
ALTER TABLE "public"."accounts" VALIDATE CONSTRAINT "accounts_tenant_id_present";

-- enforce.accounts.tenant_id.not_null
ALTER TABLE "public"."accounts" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."accounts" DROP CONSTRAINT "accounts_tenant_id_present";

-- enforce.folders.tenant_id.check
ALTER TABLE "public"."folders" ADD CONSTRAINT "folders_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.folders.tenant_id.validate
ALTER TABLE "public"."folders" VALIDATE CONSTRAINT "folders_tenant_id_present";

-- enforce.folders.tenant_id.not_null
ALTER TABLE "public"."folders" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."folders" DROP CONSTRAINT "folders_tenant_id_present";

-- enforce.accounts.accounts_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "accounts_pkey_tenant" ON "public"."accounts" USING btree ("tenant_id", "code");

-- enforce.folders.folders_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "folders_tenant_id_unique" ON "public"."folders" USING btree ("tenant_id", "id");

-- enforce.folders.folders_tenant_id_unique
ALTER TABLE "public"."folders" ADD CONSTRAINT "folders_tenant_id_unique" UNIQUE USING INDEX "folders_tenant_id_unique";

-- enforce.accounts.accounts_tenant_id_fk
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.accounts.accounts_tenant_id_fk.validate
ALTER TABLE "public"."accounts" VALIDATE CONSTRAINT "accounts_tenant_id_fk";

-- enforce.folders.folders_tenant_id_fk
ALTER TABLE "public"."folders" ADD CONSTRAINT "folders_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.folders.folders_tenant_id_fk.validate
ALTER TABLE "public"."folders" VALIDATE CONSTRAINT "folders_tenant_id_fk";

-- enforce.accounts.accounts_tenant_under_fk
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_tenant_under_fk" FOREIGN KEY ("tenant_id", "under") REFERENCES "public"."accounts" ("tenant_id", "code") ON UPDATE CASCADE ON DELETE RESTRICT NOT VALID;

-- enforce.accounts.accounts_tenant_under_fk.validate
ALTER TABLE "public"."accounts" VALIDATE CONSTRAINT "accounts_tenant_under_fk";

-- enforce.folders.folders_tenant_parent_fk
ALTER TABLE "public"."folders" ADD CONSTRAINT "folders_tenant_parent_fk" FOREIGN KEY ("tenant_id", "parent_id") REFERENCES "public"."folders" ("tenant_id", "id") ON DELETE SET NULL ("parent_id") NOT VALID;

-- enforce.folders.folders_tenant_parent_fk.validate
ALTER TABLE "public"."folders" VALIDATE CONSTRAINT "folders_tenant_parent_fk";

-- enforce.accounts.accounts_under_fkey.drop
ALTER TABLE "public"."accounts" DROP CONSTRAINT "accounts_under_fkey";

-- enforce.folders.folders_parent_id_fkey.drop
ALTER TABLE "public"."folders" DROP CONSTRAINT "folders_parent_id_fkey";

-- enforce.accounts.accounts_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "accounts_tenant_id_idx" ON "public"."accounts" USING btree ("tenant_id");

-- enforce.folders.folders_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "folders_tenant_id_idx" ON "public"."folders" USING btree ("tenant_id");

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

-- observe.accounts.analyze
ANALYZE "public"."accounts" ("tenant_id");

-- observe.accounts.isolate
CREATE POLICY "tenant_isolation" ON "public"."accounts" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."accounts" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('accounts'))) WITH CHECK ((SELECT tenantry.observe('accounts')));
ALTER TABLE "public"."accounts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."accounts" FORCE ROW LEVEL SECURITY;

-- observe.folders.analyze
ANALYZE "public"."folders" ("tenant_id");

-- observe.folders.isolate
CREATE POLICY "tenant_isolation" ON "public"."folders" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."folders" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('folders'))) WITH CHECK ((SELECT tenantry.observe('folders')));
ALTER TABLE "public"."folders" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."folders" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.accounts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."accounts" TO "app_user";

-- observe.folders.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."folders" TO "app_user";

-- observe.folders_id_seq.grants
GRANT USAGE ON SEQUENCE "public"."folders_id_seq" TO "app_user";

-- cutover.accounts.accounts_pkey
ALTER TABLE "public"."accounts" DROP CONSTRAINT "accounts_pkey";
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_pkey" PRIMARY KEY USING INDEX "accounts_pkey_tenant";

-- cutover.accounts.observe
DROP POLICY IF EXISTS "observe" ON "public"."accounts";

-- cutover.folders.observe
DROP POLICY IF EXISTS "observe" ON "public"."folders";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.accounts.tenant_id.default
ALTER TABLE "public"."accounts" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.folders.tenant_id.default
ALTER TABLE "public"."folders" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
