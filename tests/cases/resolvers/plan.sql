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

-- columns.Users.tenant_id
ALTER TABLE "public"."Users" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."Users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.api_keys.tenant_id
ALTER TABLE "public"."api_keys" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."api_keys" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.Users.tenant_id.check
ALTER TABLE "public"."Users" ADD CONSTRAINT "Users_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.Users.tenant_id.validate
ALTER TABLE "public"."Users" VALIDATE CONSTRAINT "Users_tenant_id_present";

-- enforce.Users.tenant_id.not_null
ALTER TABLE "public"."Users" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."Users" DROP CONSTRAINT "Users_tenant_id_present";

-- enforce.api_keys.tenant_id.check
ALTER TABLE "public"."api_keys" ADD CONSTRAINT "api_keys_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.api_keys.tenant_id.validate
ALTER TABLE "public"."api_keys" VALIDATE CONSTRAINT "api_keys_tenant_id_present";

-- enforce.api_keys.tenant_id.not_null
ALTER TABLE "public"."api_keys" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."api_keys" DROP CONSTRAINT "api_keys_tenant_id_present";

-- enforce.Users.Users_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "Users_tenant_id_unique" ON "public"."Users" USING btree ("tenant_id", "id");

-- enforce.Users.Users_tenant_id_unique
ALTER TABLE "public"."Users" ADD CONSTRAINT "Users_tenant_id_unique" UNIQUE USING INDEX "Users_tenant_id_unique";

-- enforce.Users.Users_tenant_id_fk
ALTER TABLE "public"."Users" ADD CONSTRAINT "Users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.Users.Users_tenant_id_fk.validate
ALTER TABLE "public"."Users" VALIDATE CONSTRAINT "Users_tenant_id_fk";

-- enforce.api_keys.api_keys_tenant_id_fk
ALTER TABLE "public"."api_keys" ADD CONSTRAINT "api_keys_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.api_keys.api_keys_tenant_id_fk.validate
ALTER TABLE "public"."api_keys" VALIDATE CONSTRAINT "api_keys_tenant_id_fk";

-- enforce.api_keys.api_keys_tenant_user_fk
ALTER TABLE "public"."api_keys" ADD CONSTRAINT "api_keys_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "public"."Users" ("tenant_id", "id") NOT VALID;

-- enforce.api_keys.api_keys_tenant_user_fk.validate
ALTER TABLE "public"."api_keys" VALIDATE CONSTRAINT "api_keys_tenant_user_fk";

-- enforce.api_keys.api_keys_user_id_fk.drop
ALTER TABLE "public"."api_keys" DROP CONSTRAINT "api_keys_user_id_fk";

-- enforce.Users.Users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "Users_tenant_id_idx" ON "public"."Users" USING btree ("tenant_id");

-- enforce.api_keys.api_keys_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "api_keys_tenant_id_idx" ON "public"."api_keys" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_owner
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_owner') THEN
    CREATE ROLE "case_owner" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_resolver
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_resolver') THEN
    CREATE ROLE "case_resolver" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.Users.users_email.global
COMMENT ON CONSTRAINT "users_email" ON "public"."Users" IS 'Unique across tenants: a login names no tenant';

-- harden.api_keys.api_keys_key_hash.global
COMMENT ON CONSTRAINT "api_keys_key_hash" ON "public"."api_keys" IS 'Unique across tenants: a request is recognised by its key';

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.Users.analyze
ANALYZE "public"."Users" ("tenant_id");

-- observe.Users.isolate
CREATE POLICY "tenant_isolation" ON "public"."Users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."Users" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('Users'))) WITH CHECK ((SELECT tenantry.observe('Users')));
ALTER TABLE "public"."Users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."Users" FORCE ROW LEVEL SECURITY;

-- observe.api_keys.analyze
ANALYZE "public"."api_keys" ("tenant_id");

-- observe.api_keys.isolate
CREATE POLICY "tenant_isolation" ON "public"."api_keys" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."api_keys" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('api_keys'))) WITH CHECK ((SELECT tenantry.observe('api_keys')));
ALTER TABLE "public"."api_keys" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."api_keys" FORCE ROW LEVEL SECURITY;

-- observe.sessions.isolate
CREATE POLICY "tenant_isolation" ON "public"."sessions" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."Users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."Users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
CREATE POLICY "observe" ON "public"."sessions" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('sessions'))) WITH CHECK ((SELECT tenantry.observe('sessions')));
ALTER TABLE "public"."sessions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."sessions" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.Users.resolver
CREATE POLICY "tenant_resolver" ON "public"."Users" AS PERMISSIVE FOR SELECT TO "case_resolver" USING (true);

-- observe.api_keys.resolver
CREATE POLICY "tenant_resolver" ON "public"."api_keys" AS PERMISSIVE FOR SELECT TO "case_resolver" USING (true);

-- observe.sessions.resolver
CREATE POLICY "tenant_resolver" ON "public"."sessions" AS PERMISSIVE FOR SELECT TO "case_resolver" USING (true);

-- observe.tenants.resolver
CREATE POLICY "tenant_resolver" ON "public"."tenants" AS PERMISSIVE FOR SELECT TO "case_resolver" USING (true);

-- observe.Users.resolver.columns
GRANT SELECT ("E-mail", "tenant_id", "id", "phone") ON TABLE "public"."Users" TO "case_resolver";

-- observe.api_keys.resolver.columns
GRANT SELECT ("key_hash", "tenant_id") ON TABLE "public"."api_keys" TO "case_resolver";

-- observe.sessions.resolver.columns
GRANT SELECT ("token", "user_id") ON TABLE "public"."sessions" TO "case_resolver";

-- observe.tenants.resolver.columns
GRANT SELECT ("slug", "id") ON TABLE "public"."tenants" TO "case_resolver";

-- observe.resolver.tenant by e-mail
CREATE FUNCTION "public"."tenant by e-mail"(text) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT t."tenant_id" FROM "public"."Users" t WHERE t."E-mail" = $1';
REVOKE ALL ON FUNCTION "public"."tenant by e-mail"(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."tenant by e-mail"(text) TO "app_user";
ALTER FUNCTION "public"."tenant by e-mail"(text) OWNER TO "case_resolver";

-- observe.resolver.tenant_by_key
CREATE FUNCTION "public"."tenant_by_key"(character varying) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT t."tenant_id" FROM "public"."api_keys" t WHERE t."key_hash" = $1';
REVOKE ALL ON FUNCTION "public"."tenant_by_key"(character varying) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."tenant_by_key"(character varying) TO "app_user";
ALTER FUNCTION "public"."tenant_by_key"(character varying) OWNER TO "case_resolver";

-- observe.resolver.tenant_by_session
CREATE FUNCTION "public"."tenant_by_session"(uuid) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT p."tenant_id" FROM "public"."sessions" t JOIN "public"."Users" p ON p."id" = t."user_id" WHERE t."token" = $1';
REVOKE ALL ON FUNCTION "public"."tenant_by_session"(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."tenant_by_session"(uuid) TO "app_user";
ALTER FUNCTION "public"."tenant_by_session"(uuid) OWNER TO "case_resolver";

-- observe.resolver.tenant_by_slug
CREATE FUNCTION "public"."tenant_by_slug"(text) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT t."id" FROM "public"."tenants" t WHERE t."slug" = $1';
REVOKE ALL ON FUNCTION "public"."tenant_by_slug"(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."tenant_by_slug"(text) TO "app_user";
ALTER FUNCTION "public"."tenant_by_slug"(text) OWNER TO "case_resolver";

-- observe.resolver.tenants_by_phone
CREATE FUNCTION "public"."tenants_by_phone"(text) RETURNS SETOF text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT DISTINCT t."tenant_id" FROM "public"."Users" t WHERE t."phone" = $1';
REVOKE ALL ON FUNCTION "public"."tenants_by_phone"(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."tenants_by_phone"(text) TO "app_user";
ALTER FUNCTION "public"."tenants_by_phone"(text) OWNER TO "case_resolver";

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.Users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."Users" TO "app_user";

-- observe.api_keys.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."api_keys" TO "app_user";

-- observe.sessions.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."sessions" TO "app_user";

-- cutover.Users.observe
DROP POLICY IF EXISTS "observe" ON "public"."Users";

-- cutover.api_keys.observe
DROP POLICY IF EXISTS "observe" ON "public"."api_keys";

-- cutover.sessions.observe
DROP POLICY IF EXISTS "observe" ON "public"."sessions";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.Users.tenant_id.default
ALTER TABLE "public"."Users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.api_keys.tenant_id.default
ALTER TABLE "public"."api_keys" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.tenants.owner
ALTER TABLE "public"."tenants" OWNER TO "case_owner";

-- cutover.Users.owner
ALTER TABLE "public"."Users" OWNER TO "case_owner";

-- cutover.api_keys.owner
ALTER TABLE "public"."api_keys" OWNER TO "case_owner";

-- cutover.sessions.owner
ALTER TABLE "public"."sessions" OWNER TO "case_owner";
