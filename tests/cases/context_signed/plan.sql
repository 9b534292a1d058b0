-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: notes: tenant_id was there before, so rows that the backfill gives a tenant keep it after a revert
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.role.case_context
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_context') THEN
    CREATE ROLE "case_context" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- tenants.schema.tenant_context
CREATE SCHEMA "tenant_context" AUTHORIZATION "case_context";
GRANT USAGE ON SCHEMA "tenant_context" TO PUBLIC;

-- tenants.tenant_context.keys
CREATE TABLE "tenant_context"."keys" (
  id text PRIMARY KEY CHECK (id ~ '^[a-z0-9]+$'),
  inner_pad bytea CHECK (length(inner_pad) = 64),
  outer_pad bytea CHECK (length(outer_pad) = 64),
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  until timestamp with time zone,
  CHECK (CASE id WHEN 'unsigned' THEN until IS NOT NULL AND inner_pad IS NULL AND outer_pad IS NULL
    ELSE inner_pad IS NOT NULL AND outer_pad IS NOT NULL END)
);
REVOKE ALL ON TABLE "tenant_context"."keys" FROM PUBLIC;
ALTER TABLE "tenant_context"."keys" OWNER TO "case_context";

-- tenants.tenant_context.current_tenant
CREATE OR REPLACE FUNCTION "tenant_context"."current_tenant"() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  value text := current_setting('app.current_tenant_id', true);
  payload text := substr(value, 66);
  until bigint;
BEGIN
  IF value IS NULL OR value = '' THEN
    RETURN NULL;
  END IF;
  PERFORM FROM "tenant_context"."keys" AS k
  WHERE k.id = split_part(payload, '.', 1) AND (k.until IS NULL OR k.until > now())
    AND sha256(k.outer_pad || convert_to(encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(payload, 'UTF8'))), 'hex'), 'UTF8')) = sha256(k.outer_pad || convert_to(left(value, 64), 'UTF8'));
  IF NOT FOUND THEN
    IF value !~ '^[0-9a-f]{64}[.]' AND EXISTS (SELECT FROM "tenant_context"."keys" AS k WHERE k.id = 'unsigned' AND k.until > now()) THEN
      RETURN value;
    END IF;
    RAISE EXCEPTION '%: its value is not signed with a key of this database', 'app.current_tenant_id' USING ERRCODE = '42501',
      HINT = 'Sign the tenant in the application, with a key that tenantry keys lists.';
  END IF;
  until := split_part(payload, '.', 2)::bigint;
  IF until NOT BETWEEN extract(epoch FROM now()) AND extract(epoch FROM now()) + 900 THEN
    RAISE EXCEPTION '%: its signed value is good until %, and this transaction began at %', 'app.current_tenant_id',
      to_timestamp(until), now() USING ERRCODE = '42501',
      HINT = 'Sign anew for each transaction, for at most 900 seconds; if that is done, compare the clocks.';
  END IF;
  RETURN substr(payload, length(split_part(payload, '.', 1)) + length(split_part(payload, '.', 2)) + 3);
END
$$;
ALTER FUNCTION "tenant_context"."current_tenant"() OWNER TO "case_context";
GRANT EXECUTE ON FUNCTION "tenant_context"."current_tenant"() TO PUBLIC;

-- tenants.tenant_context.enter
CREATE OR REPLACE FUNCTION "tenant_context"."enter"(value text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  value := set_config('app.current_tenant_id', value, true);
END
$$;
ALTER FUNCTION "tenant_context"."enter"(text) OWNER TO "case_context";
GRANT EXECUTE ON FUNCTION "tenant_context"."enter"(text) TO PUBLIC;

-- tenants.tenant_context.sign
CREATE OR REPLACE FUNCTION "tenant_context"."sign"(tenant text, seconds integer) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(p.payload, 'UTF8'))), 'hex') || '.' || p.payload
  FROM (
    SELECT * FROM "tenant_context"."keys" WHERE inner_pad IS NOT NULL AND (until IS NULL OR until > now()) ORDER BY created_at DESC LIMIT 1
  ) AS k
  CROSS JOIN LATERAL (
    SELECT k.id || '.' || floor(extract(epoch FROM now()) + seconds)::bigint || '.' || tenant AS payload
  ) AS p
$$;
ALTER FUNCTION "tenant_context"."sign"(text, integer) OWNER TO "case_context";
REVOKE ALL ON FUNCTION "tenant_context"."sign"(text, integer) FROM PUBLIC;

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

-- columns.users.tenant_id
ALTER TABLE "public"."users" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce("tenant_context"."current_tenant"(), 'first'::text);

-- backfill.notes.tenant_id
UPDATE "public"."notes" AS a SET "tenant_id" = 'first'::text
WHERE a."tenant_id" IS NULL;

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

-- enforce.users.users_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_id_unique" ON "public"."users" USING btree ("tenant_id", "id");

-- enforce.users.users_tenant_id_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_unique" UNIQUE USING INDEX "users_tenant_id_unique";

-- enforce.notes.notes_tenant_id_fk
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.notes.notes_tenant_id_fk.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_fk";

-- enforce.users.users_tenant_id_fk
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.users.users_tenant_id_fk.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_fk";

-- enforce.notes.notes_tenant_user_fk
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "public"."users" ("tenant_id", "id") NOT VALID;

-- enforce.notes.notes_tenant_user_fk.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_user_fk";

-- enforce.notes.notes_user_id_fk.drop
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_user_id_fk";

-- enforce.notes.notes_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "notes_tenant_id_idx" ON "public"."notes" USING btree ("tenant_id");

-- enforce.users.users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "users_tenant_id_idx" ON "public"."users" USING btree ("tenant_id");

-- audit.create
CREATE TABLE "public"."audit_logs" (
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
CREATE INDEX CONCURRENTLY "audit_logs_tenant_created_idx" ON "public"."audit_logs" USING btree ("tenant_id", "created_at" DESC);

-- audit.audit_logs_actor_idx
CREATE INDEX CONCURRENTLY "audit_logs_actor_idx" ON "public"."audit_logs" USING btree ("actor_id", "created_at" DESC);

-- audit.audit_logs_action_idx
CREATE INDEX CONCURRENTLY "audit_logs_action_idx" ON "public"."audit_logs" USING btree ("action", "created_at" DESC);

-- audit.prevent_audit_modification
CREATE OR REPLACE FUNCTION "public"."prevent_audit_modification"() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'Direct modification of audit_logs is forbidden';
END
$$;

-- audit.audit_logs.no_audit_update
CREATE TRIGGER "no_audit_update" BEFORE UPDATE OR DELETE ON "public"."audit_logs" FOR EACH ROW EXECUTE FUNCTION "public"."prevent_audit_modification"();

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

-- harden.role.case_resolver
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_resolver') THEN
    CREATE ROLE "case_resolver" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.users.users_email.global
COMMENT ON CONSTRAINT "users_email" ON "public"."users" IS 'Unique across tenants: a login names no tenant';

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.notes.analyze
ANALYZE "public"."notes" ("tenant_id");

-- observe.notes.isolate
CREATE POLICY "tenant_isolation" ON "public"."notes" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = "tenant_context"."current_tenant"()) WITH CHECK ("tenant_id" = "tenant_context"."current_tenant"());
CREATE POLICY "observe" ON "public"."notes" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('notes'))) WITH CHECK ((SELECT tenantry.observe('notes')));
ALTER TABLE "public"."notes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."notes" FORCE ROW LEVEL SECURITY;

-- observe.users.analyze
ANALYZE "public"."users" ("tenant_id");

-- observe.users.isolate
CREATE POLICY "tenant_isolation" ON "public"."users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = "tenant_context"."current_tenant"()) WITH CHECK ("tenant_id" = "tenant_context"."current_tenant"());
CREATE POLICY "observe" ON "public"."users" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('users'))) WITH CHECK ((SELECT tenantry.observe('users')));
ALTER TABLE "public"."users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;

-- observe.sessions.isolate
CREATE POLICY "tenant_isolation" ON "public"."sessions" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = "tenant_context"."current_tenant"())) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = "tenant_context"."current_tenant"()));
CREATE POLICY "observe" ON "public"."sessions" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('sessions'))) WITH CHECK ((SELECT tenantry.observe('sessions')));
ALTER TABLE "public"."sessions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."sessions" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = "tenant_context"."current_tenant"()) WITH CHECK ("id" = "tenant_context"."current_tenant"());
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.audit_logs.isolate
CREATE POLICY "tenant_isolation" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = "tenant_context"."current_tenant"()) WITH CHECK ("tenant_id" = "tenant_context"."current_tenant"());
CREATE POLICY "observe" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('audit_logs'))) WITH CHECK ((SELECT tenantry.observe('audit_logs')));
ALTER TABLE "public"."audit_logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."audit_logs" FORCE ROW LEVEL SECURITY;

-- observe.users.resolver
CREATE POLICY "tenant_resolver" ON "public"."users" AS PERMISSIVE FOR SELECT TO "case_resolver" USING (true);

-- observe.users.resolver.columns
GRANT SELECT ("email", "tenant_id") ON TABLE "public"."users" TO "case_resolver";

-- observe.resolver.tenant_by_mail
CREATE FUNCTION "public"."tenant_by_mail"(character varying) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT t."tenant_id" FROM "public"."users" t WHERE t."email" = $1';
REVOKE ALL ON FUNCTION "public"."tenant_by_mail"(character varying) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."tenant_by_mail"(character varying) TO "app_user";
ALTER FUNCTION "public"."tenant_by_mail"(character varying) OWNER TO "case_resolver";

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.notes.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."notes" TO "app_user";

-- observe.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";

-- observe.sessions.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."sessions" TO "app_user";

-- observe.countries.grants
GRANT SELECT ON TABLE "public"."countries" TO "app_user";

-- observe.audit_logs.grants
GRANT SELECT, INSERT ON TABLE "public"."audit_logs" TO "app_user";

-- cutover.notes.observe
DROP POLICY IF EXISTS "observe" ON "public"."notes";

-- cutover.users.observe
DROP POLICY IF EXISTS "observe" ON "public"."users";

-- cutover.sessions.observe
DROP POLICY IF EXISTS "observe" ON "public"."sessions";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";

-- cutover.audit_logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."audit_logs";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.notes.tenant_id.default
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT "tenant_context"."current_tenant"();

-- cutover.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT "tenant_context"."current_tenant"();

-- cutover.tenants.owner
ALTER TABLE "public"."tenants" OWNER TO "case_owner";

-- cutover.notes.owner
ALTER TABLE "public"."notes" OWNER TO "case_owner";

-- cutover.users.owner
ALTER TABLE "public"."users" OWNER TO "case_owner";

-- cutover.sessions.owner
ALTER TABLE "public"."sessions" OWNER TO "case_owner";

-- cutover.countries.owner
ALTER TABLE "public"."countries" OWNER TO "case_owner";

-- cutover.audit_logs.owner
ALTER TABLE "public"."audit_logs" OWNER TO "case_owner";
