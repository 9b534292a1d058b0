-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)
-- note: role case_system: is made without a password; set one, and give its DSN to nothing but what does system work
-- note: role case_support: is made without a password; set one, and give its DSN to nothing but what does support work

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

-- columns.authors.tenant_id
ALTER TABLE "public"."authors" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."authors" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.logs.tenant_id
ALTER TABLE "public"."logs" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."logs" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.authors.tenant_id.check
ALTER TABLE "public"."authors" ADD CONSTRAINT "authors_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.authors.tenant_id.validate
ALTER TABLE "public"."authors" VALIDATE CONSTRAINT "authors_tenant_id_present";

-- enforce.authors.tenant_id.not_null
ALTER TABLE "public"."authors" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."authors" DROP CONSTRAINT "authors_tenant_id_present";

-- enforce.logs.tenant_id.check
ALTER TABLE "public"."logs" ADD CONSTRAINT "logs_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.logs.tenant_id.validate
ALTER TABLE "public"."logs" VALIDATE CONSTRAINT "logs_tenant_id_present";

-- enforce.logs.tenant_id.not_null
ALTER TABLE "public"."logs" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."logs" DROP CONSTRAINT "logs_tenant_id_present";

-- enforce.authors.authors_tenant_id_fk
ALTER TABLE "public"."authors" ADD CONSTRAINT "authors_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.authors.authors_tenant_id_fk.validate
ALTER TABLE "public"."authors" VALIDATE CONSTRAINT "authors_tenant_id_fk";

-- enforce.logs.logs_tenant_id_fk
ALTER TABLE "public"."logs" ADD CONSTRAINT "logs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.logs.logs_tenant_id_fk.validate
ALTER TABLE "public"."logs" VALIDATE CONSTRAINT "logs_tenant_id_fk";

-- enforce.authors.authors_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "authors_tenant_id_idx" ON "public"."authors" USING btree ("tenant_id");

-- enforce.logs_low.logs_low_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "logs_low_tenant_id_idx" ON "public"."logs_low" USING btree ("tenant_id");

-- enforce.logs.logs_tenant_id_idx.build
CREATE INDEX "logs_tenant_id_idx" ON "public"."logs" USING btree ("tenant_id");

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

-- harden.role.case_system
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_system') THEN
    CREATE ROLE "case_system" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_support
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_support') THEN
    CREATE ROLE "case_support" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_recorder
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_recorder') THEN
    CREATE ROLE "case_recorder" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
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

-- harden.schema.Record
CREATE SCHEMA "Record" AUTHORIZATION "case_recorder";

-- harden.audit_logs.case_recorder
GRANT SELECT, INSERT ON TABLE "public"."audit_logs" TO "case_recorder";

-- harden.audit_logs.audit_write
CREATE POLICY "audit_write" ON "public"."audit_logs" AS PERMISSIVE FOR INSERT TO "case_recorder" WITH CHECK (true);

-- harden.audit_logs.audit_read
CREATE POLICY "audit_read" ON "public"."audit_logs" AS PERMISSIVE FOR SELECT TO "case_recorder" USING (true);

-- harden.tenants.case_recorder
GRANT SELECT ("id") ON TABLE "public"."tenants" TO "case_recorder";

-- harden.Record.work_begin
CREATE OR REPLACE FUNCTION "Record"."work_begin"(reason text,
  ticket text DEFAULT NULL,
  minutes integer DEFAULT 60,
  tenant text DEFAULT NULL,
  actor text DEFAULT NULL,
  request_id text DEFAULT NULL,
  writes boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  kind text := CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN NULL WHEN pg_has_role(session_user, 'case_system', 'USAGE') THEN 'system' WHEN pg_has_role(session_user, 'case_support', 'USAGE') THEN 'support' END;
  event uuid;
BEGIN
  IF kind IS NULL THEN
    RAISE EXCEPTION 'work: % has none to do here', session_user USING ERRCODE = '22023', HINT = 'Log in as [roles] system or support.';
  END IF;
  IF reason IS NULL OR reason !~ '\S' THEN
    RAISE EXCEPTION 'work: without a reason' USING ERRCODE = '22023', HINT = 'Say why it is done.';
  END IF;
  IF length(reason) > 1000 THEN
    RAISE EXCEPTION 'work: reason has more than 1000 characters' USING ERRCODE = '22023', HINT = 'Shorten it.';
  END IF;
  IF length(ticket) > 1000 THEN
    RAISE EXCEPTION 'work: ticket has more than 1000 characters' USING ERRCODE = '22023', HINT = 'Shorten it.';
  END IF;
  IF length(actor) > 1000 THEN
    RAISE EXCEPTION 'work: actor has more than 1000 characters' USING ERRCODE = '22023', HINT = 'Shorten it.';
  END IF;
  IF length(request_id) > 1000 THEN
    RAISE EXCEPTION 'work: request_id has more than 1000 characters' USING ERRCODE = '22023', HINT = 'Shorten it.';
  END IF;
  IF minutes IS NULL OR minutes < 1 OR minutes > (CASE kind WHEN 'system' THEN 1440 WHEN 'support' THEN 480 END) THEN
    RAISE EXCEPTION 'work: % minutes are not possible', coalesce(minutes::text, 'no') USING ERRCODE = '22023', HINT = 'Say how long it may take: at most 1440 minutes of system work, 480 of support.';
  END IF;
  IF kind = 'support' AND (ticket IS NULL OR ticket !~ '\S') THEN
    RAISE EXCEPTION 'work: support without a ticket' USING ERRCODE = '22023', HINT = 'Name the request of the tenant that asks for it.';
  END IF;
  IF (kind = 'support') <> (tenant IS NOT NULL AND tenant <> '') THEN
    RAISE EXCEPTION 'work: support is for one tenant, and the system works for all' USING ERRCODE = '22023', HINT = 'Name the tenant of support; system work has none.';
  END IF;
  IF tenant IS NOT NULL THEN
    PERFORM set_config('app.current_tenant_id', tenant, true);
    IF NOT EXISTS (SELECT FROM "public"."tenants" AS t WHERE t."id"::text = tenant) THEN
      RAISE EXCEPTION 'work: there is no tenant %', quote_literal(tenant)
        USING ERRCODE = '02000', HINT = 'Name one by its id.';
    END IF;
  END IF;
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "action", "resource_type", "resource_id", "metadata")
  VALUES (tenant, coalesce(actor, session_user), 'audit.' || kind || '.begin', CASE WHEN tenant IS NOT NULL THEN 'tenant' END, tenant, jsonb_strip_nulls(jsonb_build_object('role', session_user, 'reason', reason, 'ticket', ticket, 'request_id', request_id, 'writes', writes, 'minutes', minutes, 'from', now(), 'until', clock_timestamp() + make_interval(mins => minutes)))) RETURNING id INTO event;
  RETURN event::text;
END
$$;
ALTER FUNCTION "Record"."work_begin"(text, text, integer, text, text, text, boolean) OWNER TO "case_recorder";
REVOKE ALL ON FUNCTION "Record"."work_begin"(text, text, integer, text, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "Record"."work_begin"(text, text, integer, text, text, text, boolean) TO "case_system";
GRANT EXECUTE ON FUNCTION "Record"."work_begin"(text, text, integer, text, text, text, boolean) TO "case_support";

-- harden.Record.work_open
CREATE OR REPLACE FUNCTION "Record"."work_open"() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  kind text := CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN NULL WHEN pg_has_role(session_user, 'case_system', 'USAGE') THEN 'system' WHEN pg_has_role(session_user, 'case_support', 'USAGE') THEN 'support' END;
  work text := nullif(current_setting('app.work_id', true), '');
  begun record;
BEGIN
  IF kind IS NULL OR work IS NULL THEN
    RAISE EXCEPTION '% reaches rows of tenants only in work that is recorded', session_user USING ERRCODE = '42501', HINT = 'Begin it with system_scope() or support_access() of tenantry.runtime.work.';
  END IF;
  SELECT e.tenant_id, e.created_at, e.metadata INTO begun FROM "public"."audit_logs" AS e
    WHERE e.id = work::uuid AND e.action = 'audit.' || kind || '.begin'
      AND e.metadata ->> 'role' = session_user;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'work %: the trail holds no such work of %', work, session_user USING ERRCODE = '42501', HINT = 'Begin it anew.';
  END IF;
  IF (begun.metadata ->> 'from')::timestamptz >= now() THEN
    RAISE EXCEPTION 'work % was begun in this transaction, or after it', work USING ERRCODE = '42501', HINT = 'Commit it, and work in the next one.';
  END IF;
  IF clock_timestamp() >= (begun.metadata ->> 'until')::timestamptz THEN
    RAISE EXCEPTION 'work % was to end at %', work, begun.metadata ->> 'until' USING ERRCODE = '42501', HINT = 'Begin it anew, for more minutes if it needs them.';
  END IF;
  IF EXISTS (SELECT FROM "public"."audit_logs" AS e WHERE e.action = 'audit.' || kind || '.end' AND e.created_at >= begun.created_at
      AND e.resource_type = 'work' AND e.resource_id = work) THEN
    RAISE EXCEPTION 'work % is over', work USING ERRCODE = '42501', HINT = 'Begin it anew.';
  END IF;
  IF kind = 'support' AND begun.tenant_id::text IS DISTINCT FROM (nullif(current_setting('app.current_tenant_id', true), ''))::text THEN
    RAISE EXCEPTION 'work % is for tenant % only', work, begun.tenant_id USING ERRCODE = '42501', HINT = 'Begin work for the other tenant.';
  END IF;
  IF NOT (begun.metadata ->> 'writes')::boolean AND current_setting('transaction_read_only') = 'off' THEN
    RAISE EXCEPTION 'work % may only read', work USING ERRCODE = '42501', HINT = 'Make its transactions READ ONLY, or begin work that writes.';
  END IF;
  RETURN true;
END
$$;
ALTER FUNCTION "Record"."work_open"() OWNER TO "case_recorder";
REVOKE ALL ON FUNCTION "Record"."work_open"() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "Record"."work_open"() TO "case_system";
GRANT EXECUTE ON FUNCTION "Record"."work_open"() TO "case_support";

-- harden.Record.work_end
CREATE OR REPLACE FUNCTION "Record"."work_end"(work text,
  outcome text,
  actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  kind text := CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN NULL WHEN pg_has_role(session_user, 'case_system', 'USAGE') THEN 'system' WHEN pg_has_role(session_user, 'case_support', 'USAGE') THEN 'support' END;
  begun record;
BEGIN
  SELECT e.tenant_id, e.created_at INTO begun FROM "public"."audit_logs" AS e
    WHERE e.id = work::uuid AND e.action = 'audit.' || kind || '.begin'
      AND e.metadata ->> 'role' = session_user;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'work %: the trail holds no such work of %', work, session_user USING ERRCODE = '22023', HINT = 'Begin it first.';
  END IF;
  IF EXISTS (SELECT FROM "public"."audit_logs" AS e WHERE e.action = 'audit.' || kind || '.end' AND e.created_at >= begun.created_at
      AND e.resource_type = 'work' AND e.resource_id = work) THEN
    RAISE EXCEPTION 'work % is over', work USING ERRCODE = '22023', HINT = 'It ends once.';
  END IF;
  IF outcome IS NULL OR outcome NOT IN ('success', 'failure') THEN
    RAISE EXCEPTION 'work %: % is no outcome', work, coalesce(quote_literal(outcome), 'NULL') USING ERRCODE = '22023', HINT = 'Say success or failure.';
  END IF;
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "action", "resource_type", "resource_id", "metadata")
  VALUES (begun.tenant_id, coalesce(actor, session_user), 'audit.' || kind || '.end', 'work', work, jsonb_build_object('role', session_user, 'outcome', outcome, 'seconds', round(extract(epoch FROM clock_timestamp() - begun.created_at), 3)));
END
$$;
ALTER FUNCTION "Record"."work_end"(text, text, text) OWNER TO "case_recorder";
REVOKE ALL ON FUNCTION "Record"."work_end"(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "Record"."work_end"(text, text, text) TO "case_system";
GRANT EXECUTE ON FUNCTION "Record"."work_end"(text, text, text) TO "case_support";

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.authors.analyze
ANALYZE "public"."authors" ("tenant_id");

-- observe.authors.isolate
CREATE POLICY "tenant_isolation" ON "public"."authors" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."authors" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('authors'))) WITH CHECK ((SELECT tenantry.observe('authors')));
ALTER TABLE "public"."authors" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."authors" FORCE ROW LEVEL SECURITY;

-- observe.logs_low.analyze
ANALYZE "public"."logs_low" ("tenant_id");

-- observe.logs_low.isolate
CREATE POLICY "tenant_isolation" ON "public"."logs_low" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."logs_low" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('logs_low'))) WITH CHECK ((SELECT tenantry.observe('logs_low')));
ALTER TABLE "public"."logs_low" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."logs_low" FORCE ROW LEVEL SECURITY;

-- observe.logs.isolate
CREATE POLICY "tenant_isolation" ON "public"."logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('logs'))) WITH CHECK ((SELECT tenantry.observe('logs')));
ALTER TABLE "public"."logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."logs" FORCE ROW LEVEL SECURITY;

-- observe.pages.isolate
CREATE POLICY "tenant_isolation" ON "public"."pages" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."authors" p WHERE p."id" = "public"."pages"."author_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."authors" p WHERE p."id" = "public"."pages"."author_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
CREATE POLICY "observe" ON "public"."pages" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('pages'))) WITH CHECK ((SELECT tenantry.observe('pages')));
ALTER TABLE "public"."pages" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."pages" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.audit_logs.isolate
CREATE POLICY "tenant_isolation" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('audit_logs'))) WITH CHECK ((SELECT tenantry.observe('audit_logs')));
ALTER TABLE "public"."audit_logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."audit_logs" FORCE ROW LEVEL SECURITY;

-- observe.tenants.tenant_system
CREATE POLICY "tenant_system" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "case_system" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.authors.tenant_system
CREATE POLICY "tenant_system" ON "public"."authors" AS PERMISSIVE FOR ALL TO "case_system" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.logs.tenant_system
CREATE POLICY "tenant_system" ON "public"."logs" AS PERMISSIVE FOR ALL TO "case_system" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.logs_low.tenant_system
CREATE POLICY "tenant_system" ON "public"."logs_low" AS PERMISSIVE FOR ALL TO "case_system" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.pages.tenant_system
CREATE POLICY "tenant_system" ON "public"."pages" AS PERMISSIVE FOR ALL TO "case_system" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.tenants.tenant_support
CREATE POLICY "tenant_support" ON "public"."tenants" AS RESTRICTIVE FOR ALL TO "case_support" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.authors.tenant_support
CREATE POLICY "tenant_support" ON "public"."authors" AS RESTRICTIVE FOR ALL TO "case_support" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.logs.tenant_support
CREATE POLICY "tenant_support" ON "public"."logs" AS RESTRICTIVE FOR ALL TO "case_support" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.logs_low.tenant_support
CREATE POLICY "tenant_support" ON "public"."logs_low" AS RESTRICTIVE FOR ALL TO "case_support" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.pages.tenant_support
CREATE POLICY "tenant_support" ON "public"."pages" AS RESTRICTIVE FOR ALL TO "case_support" USING ((SELECT "Record"."work_open"())) WITH CHECK ((SELECT "Record"."work_open"()));

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.authors.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."authors" TO "app_user";

-- observe.logs.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."logs" TO "app_user";

-- observe.pages.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."pages" TO "app_user";

-- observe.countries.grants
GRANT SELECT ON TABLE "public"."countries" TO "app_user";

-- observe.audit_logs.grants
GRANT SELECT, INSERT ON TABLE "public"."audit_logs" TO "app_user";

-- observe.authors_id_seq.grants
GRANT USAGE ON SEQUENCE "public"."authors_id_seq" TO "app_user";

-- observe.schema.Record.case_system
GRANT USAGE ON SCHEMA "Record" TO "case_system";

-- observe.tenants.case_system
GRANT SELECT ON TABLE "public"."tenants" TO "case_system";

-- observe.authors.case_system
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."authors" TO "case_system";

-- observe.logs.case_system
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."logs" TO "case_system";

-- observe.pages.case_system
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."pages" TO "case_system";

-- observe.countries.case_system
GRANT SELECT ON TABLE "public"."countries" TO "case_system";

-- observe.authors_id_seq.case_system
GRANT USAGE ON SEQUENCE "public"."authors_id_seq" TO "case_system";

-- observe.schema.Record.case_support
GRANT USAGE ON SCHEMA "Record" TO "case_support";

-- observe.tenants.case_support
GRANT SELECT ON TABLE "public"."tenants" TO "case_support";

-- observe.authors.case_support
GRANT SELECT ON TABLE "public"."authors" TO "case_support";

-- observe.logs.case_support
GRANT SELECT ON TABLE "public"."logs" TO "case_support";

-- observe.pages.case_support
GRANT SELECT ON TABLE "public"."pages" TO "case_support";

-- observe.countries.case_support
GRANT SELECT ON TABLE "public"."countries" TO "case_support";

-- cutover.authors.observe
DROP POLICY IF EXISTS "observe" ON "public"."authors";

-- cutover.logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."logs";

-- cutover.logs_low.observe
DROP POLICY IF EXISTS "observe" ON "public"."logs_low";

-- cutover.pages.observe
DROP POLICY IF EXISTS "observe" ON "public"."pages";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";

-- cutover.audit_logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."audit_logs";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.authors.tenant_id.default
ALTER TABLE "public"."authors" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.logs.tenant_id.default
ALTER TABLE "public"."logs" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.names.invoker
ALTER VIEW "public"."names" SET (security_invoker = true);

-- cutover.names.grants
GRANT SELECT ON TABLE "public"."names" TO "app_user";

-- cutover.tenants.owner
ALTER TABLE "public"."tenants" OWNER TO "case_owner";

-- cutover.authors.owner
ALTER TABLE "public"."authors" OWNER TO "case_owner";

-- cutover.logs.owner
ALTER TABLE "public"."logs" OWNER TO "case_owner";

-- cutover.logs_low.owner
ALTER TABLE "public"."logs_low" OWNER TO "case_owner";

-- cutover.pages.owner
ALTER TABLE "public"."pages" OWNER TO "case_owner";

-- cutover.countries.owner
ALTER TABLE "public"."countries" OWNER TO "case_owner";

-- cutover.audit_logs.owner
ALTER TABLE "public"."audit_logs" OWNER TO "case_owner";

-- cutover.names.case_system
GRANT SELECT ON TABLE "public"."names" TO "case_system";

-- cutover.names.case_support
GRANT SELECT ON TABLE "public"."names" TO "case_support";
