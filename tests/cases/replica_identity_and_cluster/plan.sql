-- note: code to edit: ON CONFLICT (kind) on kinds becomes ON CONFLICT (tenant_id, kind)
-- note: code to edit: ON CONFLICT (body) on logs becomes ON CONFLICT (tenant_id, body)
-- note: code to edit: ON CONFLICT (email) on users becomes ON CONFLICT (tenant_id, email)
-- note: code to edit: ON CONFLICT (code) on users becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: what looks for logs_body_key in an error meets logs_tenant_body_unique, without a DETAIL
-- note: code to edit: what looks for users_email_key in an error meets users_tenant_email_unique, without a DETAIL
-- note: code to edit: what looks for users_code in an error meets users_tenant_code_unique, without a DETAIL
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

-- columns.kinds.tenant_id
ALTER TABLE "public"."kinds" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."kinds" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.logs.tenant_id
ALTER TABLE "public"."logs" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."logs" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.notes.tenant_id
ALTER TABLE "public"."notes" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.users.tenant_id
ALTER TABLE "public"."users" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.kinds.tenant_id.check
ALTER TABLE "public"."kinds" ADD CONSTRAINT "kinds_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.kinds.tenant_id.validate
ALTER TABLE "public"."kinds" VALIDATE CONSTRAINT "kinds_tenant_id_present";

-- enforce.kinds.tenant_id.not_null
ALTER TABLE "public"."kinds" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."kinds" DROP CONSTRAINT "kinds_tenant_id_present";

-- enforce.logs.tenant_id.check
ALTER TABLE "public"."logs" ADD CONSTRAINT "logs_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.logs.tenant_id.validate
ALTER TABLE "public"."logs" VALIDATE CONSTRAINT "logs_tenant_id_present";

-- enforce.logs.tenant_id.not_null
ALTER TABLE "public"."logs" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."logs" DROP CONSTRAINT "logs_tenant_id_present";

-- enforce.notes.tenant_id.check
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.notes.tenant_id.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_present";

-- enforce.notes.tenant_id.not_null
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_tenant_id_present";

-- enforce.users.tenant_id.check
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.users.tenant_id.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_present";

-- enforce.users.tenant_id.not_null
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."users" DROP CONSTRAINT "users_tenant_id_present";

-- enforce.logs.logs_tenant_body_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "logs_tenant_body_unique" ON "public"."logs" USING btree ("tenant_id", "body");

-- enforce.logs.logs_tenant_body_unique
ALTER TABLE "public"."logs" ADD CONSTRAINT "logs_tenant_body_unique" UNIQUE USING INDEX "logs_tenant_body_unique";

-- enforce.users.users_tenant_email_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_email_unique" ON "public"."users" USING btree ("tenant_id", "email");

-- enforce.users.users_tenant_email_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_email_unique" UNIQUE USING INDEX "users_tenant_email_unique";

-- enforce.users.users_tenant_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_code_unique" ON "public"."users" USING btree ("tenant_id", "code");

-- enforce.kinds.kinds_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "kinds_pkey_tenant" ON "public"."kinds" USING btree ("tenant_id", "kind");

-- enforce.kinds.kinds_tenant_id_fk
ALTER TABLE "public"."kinds" ADD CONSTRAINT "kinds_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.kinds.kinds_tenant_id_fk.validate
ALTER TABLE "public"."kinds" VALIDATE CONSTRAINT "kinds_tenant_id_fk";

-- enforce.logs.logs_tenant_id_fk
ALTER TABLE "public"."logs" ADD CONSTRAINT "logs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.logs.logs_tenant_id_fk.validate
ALTER TABLE "public"."logs" VALIDATE CONSTRAINT "logs_tenant_id_fk";

-- enforce.notes.notes_tenant_id_fk
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.notes.notes_tenant_id_fk.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_fk";

-- enforce.users.users_tenant_id_fk
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.users.users_tenant_id_fk.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_fk";

-- enforce.kinds.kinds_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "kinds_tenant_id_idx" ON "public"."kinds" USING btree ("tenant_id");

-- enforce.logs.logs_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "logs_tenant_id_idx" ON "public"."logs" USING btree ("tenant_id");

-- enforce.notes.notes_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "notes_tenant_id_idx" ON "public"."notes" USING btree ("tenant_id");

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

-- observe.kinds.analyze
ANALYZE "public"."kinds" ("tenant_id");

-- observe.kinds.isolate
CREATE POLICY "tenant_isolation" ON "public"."kinds" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."kinds" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('kinds'))) WITH CHECK ((SELECT tenantry.observe('kinds')));
ALTER TABLE "public"."kinds" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."kinds" FORCE ROW LEVEL SECURITY;

-- observe.logs.analyze
ANALYZE "public"."logs" ("tenant_id");

-- observe.logs.isolate
CREATE POLICY "tenant_isolation" ON "public"."logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('logs'))) WITH CHECK ((SELECT tenantry.observe('logs')));
ALTER TABLE "public"."logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."logs" FORCE ROW LEVEL SECURITY;

-- observe.notes.analyze
ANALYZE "public"."notes" ("tenant_id");

-- observe.notes.isolate
CREATE POLICY "tenant_isolation" ON "public"."notes" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."notes" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('notes'))) WITH CHECK ((SELECT tenantry.observe('notes')));
ALTER TABLE "public"."notes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."notes" FORCE ROW LEVEL SECURITY;

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

-- observe.kinds.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."kinds" TO "app_user";

-- observe.logs.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."logs" TO "app_user";

-- observe.notes.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."notes" TO "app_user";

-- observe.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";

-- cutover.logs.logs_body_key.drop
ALTER TABLE "public"."logs" DROP CONSTRAINT "logs_body_key";

-- cutover.users.users_email_key.drop
ALTER TABLE "public"."users" REPLICA IDENTITY USING INDEX "users_tenant_email_unique";
ALTER TABLE "public"."users" DROP CONSTRAINT "users_email_key";

-- cutover.users.users_code.drop
ALTER TABLE "public"."users" CLUSTER ON "users_tenant_code_unique";
DROP INDEX "public"."users_code";

-- cutover.kinds.kinds_pkey
ALTER TABLE "public"."kinds" DROP CONSTRAINT "kinds_pkey";
ALTER TABLE "public"."kinds" ADD CONSTRAINT "kinds_pkey" PRIMARY KEY USING INDEX "kinds_pkey_tenant";
ALTER TABLE "public"."kinds" REPLICA IDENTITY USING INDEX "kinds_pkey";
ALTER TABLE "public"."kinds" CLUSTER ON "kinds_pkey";

-- cutover.kinds.observe
DROP POLICY IF EXISTS "observe" ON "public"."kinds";

-- cutover.logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."logs";

-- cutover.notes.observe
DROP POLICY IF EXISTS "observe" ON "public"."notes";

-- cutover.users.observe
DROP POLICY IF EXISTS "observe" ON "public"."users";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.kinds.tenant_id.default
ALTER TABLE "public"."kinds" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.logs.tenant_id.default
ALTER TABLE "public"."logs" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.notes.tenant_id.default
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
