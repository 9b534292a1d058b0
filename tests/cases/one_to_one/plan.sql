-- note: code to edit: ON CONFLICT (code) on code_texts becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: ON CONFLICT (code) on codes becomes ON CONFLICT (tenant_id, code)
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

-- columns.code_texts.tenant_id
ALTER TABLE "public"."code_texts" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."code_texts" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.codes.tenant_id
ALTER TABLE "public"."codes" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."codes" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.portraits.tenant_id
ALTER TABLE "public"."portraits" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."portraits" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.profiles.tenant_id
ALTER TABLE "public"."profiles" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."profiles" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.users.tenant_id
ALTER TABLE "public"."users" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.code_texts.tenant_id.check
ALTER TABLE "public"."code_texts" ADD CONSTRAINT "code_texts_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.code_texts.tenant_id.validate
ALTER TABLE "public"."code_texts" VALIDATE CONSTRAINT "code_texts_tenant_id_present";

-- enforce.code_texts.tenant_id.not_null
ALTER TABLE "public"."code_texts" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."code_texts" DROP CONSTRAINT "code_texts_tenant_id_present";

-- enforce.codes.tenant_id.check
ALTER TABLE "public"."codes" ADD CONSTRAINT "codes_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.codes.tenant_id.validate
ALTER TABLE "public"."codes" VALIDATE CONSTRAINT "codes_tenant_id_present";

-- enforce.codes.tenant_id.not_null
ALTER TABLE "public"."codes" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."codes" DROP CONSTRAINT "codes_tenant_id_present";

-- enforce.portraits.tenant_id.check
ALTER TABLE "public"."portraits" ADD CONSTRAINT "portraits_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.portraits.tenant_id.validate
ALTER TABLE "public"."portraits" VALIDATE CONSTRAINT "portraits_tenant_id_present";

-- enforce.portraits.tenant_id.not_null
ALTER TABLE "public"."portraits" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."portraits" DROP CONSTRAINT "portraits_tenant_id_present";

-- enforce.profiles.tenant_id.check
ALTER TABLE "public"."profiles" ADD CONSTRAINT "profiles_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.profiles.tenant_id.validate
ALTER TABLE "public"."profiles" VALIDATE CONSTRAINT "profiles_tenant_id_present";

-- enforce.profiles.tenant_id.not_null
ALTER TABLE "public"."profiles" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."profiles" DROP CONSTRAINT "profiles_tenant_id_present";

-- enforce.users.tenant_id.check
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.users.tenant_id.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_present";

-- enforce.users.tenant_id.not_null
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."users" DROP CONSTRAINT "users_tenant_id_present";

-- enforce.code_texts.code_texts_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "code_texts_pkey_tenant" ON "public"."code_texts" USING btree ("tenant_id", "code");

-- enforce.codes.codes_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "codes_pkey_tenant" ON "public"."codes" USING btree ("tenant_id", "code");

-- enforce.profiles.profiles_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "profiles_tenant_id_unique" ON "public"."profiles" USING btree ("tenant_id", "id");

-- enforce.profiles.profiles_tenant_id_unique
ALTER TABLE "public"."profiles" ADD CONSTRAINT "profiles_tenant_id_unique" UNIQUE USING INDEX "profiles_tenant_id_unique";

-- enforce.users.users_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_id_unique" ON "public"."users" USING btree ("tenant_id", "id");

-- enforce.users.users_tenant_id_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_unique" UNIQUE USING INDEX "users_tenant_id_unique";

-- enforce.code_texts.code_texts_tenant_id_fk
ALTER TABLE "public"."code_texts" ADD CONSTRAINT "code_texts_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.code_texts.code_texts_tenant_id_fk.validate
ALTER TABLE "public"."code_texts" VALIDATE CONSTRAINT "code_texts_tenant_id_fk";

-- enforce.codes.codes_tenant_id_fk
ALTER TABLE "public"."codes" ADD CONSTRAINT "codes_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.codes.codes_tenant_id_fk.validate
ALTER TABLE "public"."codes" VALIDATE CONSTRAINT "codes_tenant_id_fk";

-- enforce.portraits.portraits_tenant_id_fk
ALTER TABLE "public"."portraits" ADD CONSTRAINT "portraits_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.portraits.portraits_tenant_id_fk.validate
ALTER TABLE "public"."portraits" VALIDATE CONSTRAINT "portraits_tenant_id_fk";

-- enforce.profiles.profiles_tenant_id_fk
ALTER TABLE "public"."profiles" ADD CONSTRAINT "profiles_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.profiles.profiles_tenant_id_fk.validate
ALTER TABLE "public"."profiles" VALIDATE CONSTRAINT "profiles_tenant_id_fk";

-- enforce.users.users_tenant_id_fk
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.users.users_tenant_id_fk.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_fk";

-- enforce.code_texts.code_texts_tenant_code_fk
ALTER TABLE "public"."code_texts" ADD CONSTRAINT "code_texts_tenant_code_fk" FOREIGN KEY ("tenant_id", "code") REFERENCES "public"."codes" ("tenant_id", "code") ON UPDATE CASCADE ON DELETE CASCADE NOT VALID;

-- enforce.code_texts.code_texts_tenant_code_fk.validate
ALTER TABLE "public"."code_texts" VALIDATE CONSTRAINT "code_texts_tenant_code_fk";

-- enforce.portraits.portraits_tenant_id_fk2
ALTER TABLE "public"."portraits" ADD CONSTRAINT "portraits_tenant_id_fk2" FOREIGN KEY ("tenant_id", "id") REFERENCES "public"."profiles" ("tenant_id", "id") NOT VALID;

-- enforce.portraits.portraits_tenant_id_fk2.validate
ALTER TABLE "public"."portraits" VALIDATE CONSTRAINT "portraits_tenant_id_fk2";

-- enforce.profiles.profiles_tenant_id_fk2
ALTER TABLE "public"."profiles" ADD CONSTRAINT "profiles_tenant_id_fk2" FOREIGN KEY ("tenant_id", "id") REFERENCES "public"."users" ("tenant_id", "id") ON DELETE CASCADE NOT VALID;

-- enforce.profiles.profiles_tenant_id_fk2.validate
ALTER TABLE "public"."profiles" VALIDATE CONSTRAINT "profiles_tenant_id_fk2";

-- enforce.code_texts.code_texts_code_fkey.drop
ALTER TABLE "public"."code_texts" DROP CONSTRAINT "code_texts_code_fkey";

-- enforce.portraits.portraits_id_fkey.drop
ALTER TABLE "public"."portraits" DROP CONSTRAINT "portraits_id_fkey";

-- enforce.profiles.profiles_id_fkey.drop
ALTER TABLE "public"."profiles" DROP CONSTRAINT "profiles_id_fkey";

-- enforce.code_texts.code_texts_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "code_texts_tenant_id_idx" ON "public"."code_texts" USING btree ("tenant_id");

-- enforce.codes.codes_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "codes_tenant_id_idx" ON "public"."codes" USING btree ("tenant_id");

-- enforce.portraits.portraits_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "portraits_tenant_id_idx" ON "public"."portraits" USING btree ("tenant_id");

-- enforce.profiles.profiles_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "profiles_tenant_id_idx" ON "public"."profiles" USING btree ("tenant_id");

-- enforce.users.users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "users_tenant_id_idx" ON "public"."users" USING btree ("tenant_id");

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

-- observe.code_texts.analyze
ANALYZE "public"."code_texts" ("tenant_id");

-- observe.code_texts.isolate
CREATE POLICY "tenant_isolation" ON "public"."code_texts" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."code_texts" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('code_texts'))) WITH CHECK ((SELECT tenantry.observe('code_texts')));
ALTER TABLE "public"."code_texts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."code_texts" FORCE ROW LEVEL SECURITY;

-- observe.codes.analyze
ANALYZE "public"."codes" ("tenant_id");

-- observe.codes.isolate
CREATE POLICY "tenant_isolation" ON "public"."codes" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."codes" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('codes'))) WITH CHECK ((SELECT tenantry.observe('codes')));
ALTER TABLE "public"."codes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."codes" FORCE ROW LEVEL SECURITY;

-- observe.portraits.analyze
ANALYZE "public"."portraits" ("tenant_id");

-- observe.portraits.isolate
CREATE POLICY "tenant_isolation" ON "public"."portraits" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."portraits" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('portraits'))) WITH CHECK ((SELECT tenantry.observe('portraits')));
ALTER TABLE "public"."portraits" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."portraits" FORCE ROW LEVEL SECURITY;

-- observe.profiles.analyze
ANALYZE "public"."profiles" ("tenant_id");

-- observe.profiles.isolate
CREATE POLICY "tenant_isolation" ON "public"."profiles" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."profiles" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('profiles'))) WITH CHECK ((SELECT tenantry.observe('profiles')));
ALTER TABLE "public"."profiles" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."profiles" FORCE ROW LEVEL SECURITY;

-- observe.users.analyze
ANALYZE "public"."users" ("tenant_id");

-- observe.users.isolate
CREATE POLICY "tenant_isolation" ON "public"."users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."users" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('users'))) WITH CHECK ((SELECT tenantry.observe('users')));
ALTER TABLE "public"."users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.code_texts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."code_texts" TO "app_user";

-- observe.codes.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."codes" TO "app_user";

-- observe.portraits.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."portraits" TO "app_user";

-- observe.profiles.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."profiles" TO "app_user";

-- observe.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";

-- cutover.code_texts.code_texts_pkey
ALTER TABLE "public"."code_texts" DROP CONSTRAINT "code_texts_pkey";
ALTER TABLE "public"."code_texts" ADD CONSTRAINT "code_texts_pkey" PRIMARY KEY USING INDEX "code_texts_pkey_tenant";

-- cutover.codes.codes_pkey
ALTER TABLE "public"."codes" DROP CONSTRAINT "codes_pkey";
ALTER TABLE "public"."codes" ADD CONSTRAINT "codes_pkey" PRIMARY KEY USING INDEX "codes_pkey_tenant";

-- cutover.code_texts.observe
DROP POLICY IF EXISTS "observe" ON "public"."code_texts";

-- cutover.codes.observe
DROP POLICY IF EXISTS "observe" ON "public"."codes";

-- cutover.portraits.observe
DROP POLICY IF EXISTS "observe" ON "public"."portraits";

-- cutover.profiles.observe
DROP POLICY IF EXISTS "observe" ON "public"."profiles";

-- cutover.users.observe
DROP POLICY IF EXISTS "observe" ON "public"."users";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.code_texts.tenant_id.default
ALTER TABLE "public"."code_texts" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.codes.tenant_id.default
ALTER TABLE "public"."codes" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.portraits.tenant_id.default
ALTER TABLE "public"."portraits" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.profiles.tenant_id.default
ALTER TABLE "public"."profiles" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
