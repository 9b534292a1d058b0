-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
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
CREATE OR REPLACE FUNCTION "tenant_context"."current_tenant"() RETURNS uuid
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
      RETURN value::uuid;
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
  RETURN substr(payload, length(split_part(payload, '.', 1)) + length(split_part(payload, '.', 2)) + 3)::uuid;
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

-- tenants.tenant_context.no_tenant
CREATE OR REPLACE FUNCTION "tenant_context"."no_tenant"() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Whoever has a policy of its own sees rows by that one: observe mode, resolvers, the trail's owner, system work.
  IF EXISTS (
    SELECT FROM pg_policy AS p CROSS JOIN LATERAL unnest(p.polroles) AS r (oid)
    WHERE p.polpermissive AND r.oid <> 0 AND pg_has_role(current_user, r.oid, 'USAGE')
  ) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is not set, and this work belongs to a tenant', 'app.current_tenant_id' USING ERRCODE = '42501',
    HINT = 'Begin the transaction inside a tenant''s scope; work across tenants is for the login of [roles] system.';
END
$$;
ALTER FUNCTION "tenant_context"."no_tenant"() OWNER TO "case_context";
GRANT EXECUTE ON FUNCTION "tenant_context"."no_tenant"() TO PUBLIC;

-- tenants.create
CREATE TABLE "public"."tenants" (
  "id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  slug text NOT NULL CONSTRAINT "tenants_slug_unique" UNIQUE,
  domain text,
  logo text,
  is_active boolean NOT NULL DEFAULT true,
  plan text NOT NULL DEFAULT 'freemium',
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now()
);

-- tenants.default
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d', 'First', 'first')
ON CONFLICT DO NOTHING;

-- columns.skills.tenant_id
ALTER TABLE "public"."skills" ADD COLUMN "tenant_id" uuid DEFAULT '0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d'::uuid;
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET DEFAULT coalesce("tenant_context"."current_tenant"(), '0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d'::uuid);

-- enforce.skills.tenant_id.check
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.skills.tenant_id.validate
ALTER TABLE "public"."skills" VALIDATE CONSTRAINT "skills_tenant_id_present";

-- enforce.skills.tenant_id.not_null
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_tenant_id_present";

-- enforce.skills.skills_tenant_id_fk
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.skills.skills_tenant_id_fk.validate
ALTER TABLE "public"."skills" VALIDATE CONSTRAINT "skills_tenant_id_fk";

-- enforce.skills.skills_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "skills_tenant_id_idx" ON "public"."skills" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_searcher
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_searcher') THEN
    CREATE ROLE "case_searcher" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
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

-- observe.skills.analyze
ANALYZE "public"."skills" ("tenant_id");

-- observe.skills.isolate
CREATE POLICY "tenant_isolation" ON "public"."skills" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = coalesce("tenant_context"."current_tenant"(), "tenant_context"."no_tenant"()::uuid)) WITH CHECK ("tenant_id" = coalesce("tenant_context"."current_tenant"(), "tenant_context"."no_tenant"()::uuid));
CREATE POLICY "observe" ON "public"."skills" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('skills'))) WITH CHECK ((SELECT tenantry.observe('skills')));
ALTER TABLE "public"."skills" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = coalesce("tenant_context"."current_tenant"(), "tenant_context"."no_tenant"()::uuid)) WITH CHECK ("id" = coalesce("tenant_context"."current_tenant"(), "tenant_context"."no_tenant"()::uuid));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.skills.search
CREATE POLICY "tenant_search" ON "public"."skills" AS PERMISSIVE FOR SELECT TO "case_searcher" USING (true);

-- observe.skills.search.columns
GRANT SELECT ("id", "tenant_id", "tags", "name") ON TABLE "public"."skills" TO "case_searcher";

-- observe.search.tagged
CREATE FUNCTION "public"."tagged"("wanted" text[], "max_rows" integer DEFAULT NULL, "skip_rows" integer DEFAULT 0) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS '
#variable_conflict use_column
BEGIN
RETURN QUERY SELECT "id" FROM "public"."skills"
WHERE "tenant_id" = coalesce("tenant_context"."current_tenant"(), "tenant_context"."no_tenant"()::uuid)
AND (tags @> wanted)
ORDER BY name, "id"
LIMIT $2 OFFSET $3;
END';
REVOKE ALL ON FUNCTION "public"."tagged"(text[], integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."tagged"(text[], integer, integer) TO "app_user";
ALTER FUNCTION "public"."tagged"(text[], integer, integer) OWNER TO "case_searcher";

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.skills.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."skills" TO "app_user";

-- cutover.skills.observe
DROP POLICY IF EXISTS "observe" ON "public"."skills";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.skills.tenant_id.default
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET DEFAULT "tenant_context"."current_tenant"();
