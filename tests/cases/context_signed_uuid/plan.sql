-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.role.case_context
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_context') THEN
    CREATE ROLE "case_context" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- tenants.schema.Who's "there"
CREATE SCHEMA "Who's ""there""" AUTHORIZATION "case_context";
GRANT USAGE ON SCHEMA "Who's ""there""" TO PUBLIC;

-- tenants.Who's "there".keys
CREATE TABLE "Who's ""there"""."keys" (
  id text PRIMARY KEY CHECK (id ~ '^[a-z0-9]+$'),
  inner_pad bytea CHECK (length(inner_pad) = 64),
  outer_pad bytea CHECK (length(outer_pad) = 64),
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  until timestamp with time zone,
  CHECK (CASE id WHEN 'unsigned' THEN until IS NOT NULL AND inner_pad IS NULL AND outer_pad IS NULL
    ELSE inner_pad IS NOT NULL AND outer_pad IS NOT NULL END)
);
REVOKE ALL ON TABLE "Who's ""there"""."keys" FROM PUBLIC;
ALTER TABLE "Who's ""there"""."keys" OWNER TO "case_context";

-- tenants.Who's "there".current_tenant
CREATE OR REPLACE FUNCTION "Who's ""there"""."current_tenant"() RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  value text := current_setting('app.Tenant', true);
  payload text := substr(value, 66);
  until bigint;
BEGIN
  IF value IS NULL OR value = '' THEN
    RETURN NULL;
  END IF;
  PERFORM FROM "Who's ""there"""."keys" AS k
  WHERE k.id = split_part(payload, '.', 1) AND (k.until IS NULL OR k.until > now())
    AND sha256(k.outer_pad || convert_to(encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(payload, 'UTF8'))), 'hex'), 'UTF8')) = sha256(k.outer_pad || convert_to(left(value, 64), 'UTF8'));
  IF NOT FOUND THEN
    IF value !~ '^[0-9a-f]{64}[.]' AND EXISTS (SELECT FROM "Who's ""there"""."keys" AS k WHERE k.id = 'unsigned' AND k.until > now()) THEN
      RETURN value::uuid;
    END IF;
    RAISE EXCEPTION '%: its value is not signed with a key of this database', 'app.Tenant' USING ERRCODE = '42501',
      HINT = 'Sign the tenant in the application, with a key that tenantry keys lists.';
  END IF;
  until := split_part(payload, '.', 2)::bigint;
  IF until NOT BETWEEN extract(epoch FROM now()) AND extract(epoch FROM now()) + 900 THEN
    RAISE EXCEPTION '%: its signed value is good until %, and this transaction began at %', 'app.Tenant',
      to_timestamp(until), now() USING ERRCODE = '42501',
      HINT = 'Sign anew for each transaction, for at most 900 seconds; if that is done, compare the clocks.';
  END IF;
  RETURN substr(payload, length(split_part(payload, '.', 1)) + length(split_part(payload, '.', 2)) + 3)::uuid;
END
$$;
ALTER FUNCTION "Who's ""there"""."current_tenant"() OWNER TO "case_context";
GRANT EXECUTE ON FUNCTION "Who's ""there"""."current_tenant"() TO PUBLIC;

-- tenants.Who's "there".enter
CREATE OR REPLACE FUNCTION "Who's ""there"""."enter"(value text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  value := set_config('app.Tenant', value, true);
END
$$;
ALTER FUNCTION "Who's ""there"""."enter"(text) OWNER TO "case_context";
GRANT EXECUTE ON FUNCTION "Who's ""there"""."enter"(text) TO PUBLIC;

-- tenants.Who's "there".sign
CREATE OR REPLACE FUNCTION "Who's ""there"""."sign"(tenant text, seconds integer) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(p.payload, 'UTF8'))), 'hex') || '.' || p.payload
  FROM (
    SELECT * FROM "Who's ""there"""."keys" WHERE inner_pad IS NOT NULL AND (until IS NULL OR until > now()) ORDER BY created_at DESC LIMIT 1
  ) AS k
  CROSS JOIN LATERAL (
    SELECT k.id || '.' || floor(extract(epoch FROM now()) + seconds)::bigint || '.' || tenant AS payload
  ) AS p
$$;
ALTER FUNCTION "Who's ""there"""."sign"(text, integer) OWNER TO "case_context";
REVOKE ALL ON FUNCTION "Who's ""there"""."sign"(text, integer) FROM PUBLIC;

-- tenants.Who's "there".no_tenant
CREATE OR REPLACE FUNCTION "Who's ""there"""."no_tenant"() RETURNS text
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
  RAISE EXCEPTION '% is not set, and this work belongs to a tenant', 'app.Tenant' USING ERRCODE = '42501',
    HINT = 'Begin the transaction inside a tenant''s scope; work across tenants is for the login of [roles] system.';
END
$$;
ALTER FUNCTION "Who's ""there"""."no_tenant"() OWNER TO "case_context";
GRANT EXECUTE ON FUNCTION "Who's ""there"""."no_tenant"() TO PUBLIC;

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
VALUES ('00000000-0000-4000-8000-000000000001', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.machines.tenant_id
ALTER TABLE "public"."machines" ADD COLUMN "tenant_id" uuid DEFAULT '00000000-0000-4000-8000-000000000001'::uuid;
ALTER TABLE "public"."machines" ALTER COLUMN "tenant_id" SET DEFAULT coalesce("Who's ""there"""."current_tenant"(), '00000000-0000-4000-8000-000000000001'::uuid);

-- columns.visits.tenant_id
ALTER TABLE "public"."visits" ADD COLUMN "tenant_id" uuid;
ALTER TABLE "public"."visits" ALTER COLUMN "tenant_id" SET DEFAULT "Who's ""there"""."current_tenant"();

-- columns.visits.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_01d3ed41186d7ab5"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT p."tenant_id" FROM "public"."machines" p WHERE p."id" = a."machine") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."visits" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_01d3ed41186d7ab5"();

-- backfill.visits.tenant_id
UPDATE "public"."visits" AS a SET "tenant_id" = (SELECT p."tenant_id" FROM "public"."machines" p WHERE p."id" = a."machine")
WHERE a."tenant_id" IS NULL;

-- enforce.machines.tenant_id.check
ALTER TABLE "public"."machines" ADD CONSTRAINT "machines_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.machines.tenant_id.validate
ALTER TABLE "public"."machines" VALIDATE CONSTRAINT "machines_tenant_id_present";

-- enforce.machines.tenant_id.not_null
ALTER TABLE "public"."machines" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."machines" DROP CONSTRAINT "machines_tenant_id_present";

-- enforce.visits.tenant_id.check
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.visits.tenant_id.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_id_present";

-- enforce.visits.tenant_id.not_null
ALTER TABLE "public"."visits" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."visits" DROP CONSTRAINT "visits_tenant_id_present";

-- enforce.machines.machines_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "machines_tenant_id_unique" ON "public"."machines" USING btree ("tenant_id", "id");

-- enforce.machines.machines_tenant_id_unique
ALTER TABLE "public"."machines" ADD CONSTRAINT "machines_tenant_id_unique" UNIQUE USING INDEX "machines_tenant_id_unique";

-- enforce.machines.machines_tenant_id_fk
ALTER TABLE "public"."machines" ADD CONSTRAINT "machines_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.machines.machines_tenant_id_fk.validate
ALTER TABLE "public"."machines" VALIDATE CONSTRAINT "machines_tenant_id_fk";

-- enforce.visits.visits_tenant_id_fk
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.visits.visits_tenant_id_fk.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_id_fk";

-- enforce.visits.visits_tenant_machine_fk
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_machine_fk" FOREIGN KEY ("tenant_id", "machine") REFERENCES "public"."machines" ("tenant_id", "id") NOT VALID;

-- enforce.visits.visits_tenant_machine_fk.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_machine_fk";

-- enforce.visits.visits_machine_fk.drop
ALTER TABLE "public"."visits" DROP CONSTRAINT "visits_machine_fk";

-- enforce.machines.machines_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "machines_tenant_id_idx" ON "public"."machines" USING btree ("tenant_id");

-- enforce.visits.visits_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "visits_tenant_id_idx" ON "public"."visits" USING btree ("tenant_id");

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

-- observe.machines.analyze
ANALYZE "public"."machines" ("tenant_id");

-- observe.machines.isolate
CREATE POLICY "tenant_isolation" ON "public"."machines" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = coalesce("Who's ""there"""."current_tenant"(), "Who's ""there"""."no_tenant"()::uuid)) WITH CHECK ("tenant_id" = coalesce("Who's ""there"""."current_tenant"(), "Who's ""there"""."no_tenant"()::uuid));
CREATE POLICY "observe" ON "public"."machines" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('machines'))) WITH CHECK ((SELECT tenantry.observe('machines')));
ALTER TABLE "public"."machines" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."machines" FORCE ROW LEVEL SECURITY;

-- observe.visits.analyze
ANALYZE "public"."visits" ("tenant_id");

-- observe.visits.isolate
CREATE POLICY "tenant_isolation" ON "public"."visits" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = coalesce("Who's ""there"""."current_tenant"(), "Who's ""there"""."no_tenant"()::uuid)) WITH CHECK ("tenant_id" = coalesce("Who's ""there"""."current_tenant"(), "Who's ""there"""."no_tenant"()::uuid));
CREATE POLICY "observe" ON "public"."visits" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('visits'))) WITH CHECK ((SELECT tenantry.observe('visits')));
ALTER TABLE "public"."visits" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."visits" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = coalesce("Who's ""there"""."current_tenant"(), "Who's ""there"""."no_tenant"()::uuid)) WITH CHECK ("id" = coalesce("Who's ""there"""."current_tenant"(), "Who's ""there"""."no_tenant"()::uuid));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.machines.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."machines" TO "app_user";

-- observe.visits.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."visits" TO "app_user";

-- cutover.machines.observe
DROP POLICY IF EXISTS "observe" ON "public"."machines";

-- cutover.visits.observe
DROP POLICY IF EXISTS "observe" ON "public"."visits";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.visits.fill
DROP FUNCTION "tenantry"."fill_01d3ed41186d7ab5"() CASCADE;

-- cutover.machines.tenant_id.default
ALTER TABLE "public"."machines" ALTER COLUMN "tenant_id" SET DEFAULT "Who's ""there"""."current_tenant"();
