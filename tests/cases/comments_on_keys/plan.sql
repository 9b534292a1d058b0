-- note: code to edit: ON CONFLICT (kind) on kinds becomes ON CONFLICT (tenant_id, kind)
-- note: code to edit: ON CONFLICT (email) on users becomes ON CONFLICT (tenant_id, email)
-- note: code to edit: ON CONFLICT (lower(nick)) on users becomes ON CONFLICT (tenant_id, lower(nick))
-- note: code to edit: what looks for users_email_key in an error meets users_tenant_email_unique, without a DETAIL
-- note: code to edit: what looks for users_nick in an error meets users_tenant_expr_unique, without a DETAIL
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

-- enforce.users.tenant_id.check
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.users.tenant_id.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_present";

-- enforce.users.tenant_id.not_null
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."users" DROP CONSTRAINT "users_tenant_id_present";

-- enforce.users.users_tenant_email_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_email_unique" ON "public"."users" USING btree ("tenant_id", "email");

-- enforce.users.users_tenant_email_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_email_unique" UNIQUE USING INDEX "users_tenant_email_unique";

-- enforce.users.users_tenant_expr_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_expr_unique" ON "public"."users" USING btree ("tenant_id", (lower(nick)));

-- enforce.kinds.kinds_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "kinds_pkey_tenant" ON "public"."kinds" USING btree ("tenant_id", "kind");

-- enforce.users.users_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_id_unique" ON "public"."users" USING btree ("tenant_id", "id");

-- enforce.users.users_tenant_id_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_unique" UNIQUE USING INDEX "users_tenant_id_unique";

-- enforce.kinds.kinds_tenant_id_fk
ALTER TABLE "public"."kinds" ADD CONSTRAINT "kinds_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.kinds.kinds_tenant_id_fk.validate
ALTER TABLE "public"."kinds" VALIDATE CONSTRAINT "kinds_tenant_id_fk";

-- enforce.users.users_tenant_id_fk
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.users.users_tenant_id_fk.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_fk";

-- enforce.users.users_tenant_boss_fk
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_boss_fk" FOREIGN KEY ("tenant_id", "boss") REFERENCES "public"."users" ("tenant_id", "id") NOT VALID;

-- enforce.users.users_tenant_boss_fk.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_boss_fk";

-- enforce.users.users_boss_fkey.drop
COMMENT ON CONSTRAINT "users_tenant_boss_fk" ON "public"."users" IS '100% a tree';
ALTER TABLE "public"."users" DROP CONSTRAINT "users_boss_fkey";

-- enforce.kinds.kinds_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "kinds_tenant_id_idx" ON "public"."kinds" USING btree ("tenant_id");

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

-- observe.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";

-- cutover.users.users_email_key.drop
COMMENT ON CONSTRAINT "users_tenant_email_unique" ON "public"."users" IS 'one account for each "address"';
COMMENT ON INDEX "public"."users_tenant_email_unique" IS 'look-up at sign-in';
ALTER TABLE "public"."users" DROP CONSTRAINT "users_email_key";

-- cutover.users.users_nick.drop
COMMENT ON INDEX "public"."users_tenant_expr_unique" IS 'nicks don''t differ by case';
DROP INDEX "public"."users_nick";

-- cutover.kinds.kinds_pkey
ALTER TABLE "public"."kinds" DROP CONSTRAINT "kinds_pkey";
ALTER TABLE "public"."kinds" ADD CONSTRAINT "kinds_pkey" PRIMARY KEY USING INDEX "kinds_pkey_tenant";
COMMENT ON CONSTRAINT "kinds_pkey" ON "public"."kinds" IS 'short words';
COMMENT ON INDEX "public"."kinds_pkey" IS 'small';

-- cutover.kinds.observe
DROP POLICY IF EXISTS "observe" ON "public"."kinds";

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

-- cutover.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
