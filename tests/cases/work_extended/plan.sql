-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)
-- note: role case_support: may change rows of a tenant in work that was begun to write

-- columns.notes.tenant_id
ALTER TABLE "public"."notes" ADD COLUMN "tenant_id" bigint;
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT (coalesce(nullif(current_setting('app.current_tenant_id', true), ''), '1'))::bigint;

-- backfill.notes.tenant_id
UPDATE "public"."notes" AS a SET "tenant_id" = '1'::bigint
WHERE a."tenant_id" IS NULL;

-- enforce.notes.tenant_id.check
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.notes.tenant_id.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_present";

-- enforce.notes.tenant_id.not_null
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_tenant_id_present";

-- enforce.notes.notes_tenant_id_fk
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."customers" ("id") NOT VALID;

-- enforce.notes.notes_tenant_id_fk.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_fk";

-- enforce.notes.notes_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "notes_tenant_id_idx" ON "public"."notes" USING btree ("tenant_id");

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

-- harden.role.case_audit_owner
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_audit_owner') THEN
    CREATE ROLE "case_audit_owner" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_audit_reader
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_audit_reader') THEN
    CREATE ROLE "case_audit_reader" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
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

-- harden.schema.case_trail
CREATE SCHEMA "case_trail" AUTHORIZATION "case_audit_owner";

-- harden.schema.case_trail.app_user
GRANT USAGE ON SCHEMA "case_trail" TO "app_user";

-- harden.schema.case_trail.case_audit_reader
GRANT USAGE ON SCHEMA "case_trail" TO "case_audit_reader";

-- harden.audit_logs.events
ALTER TABLE "public"."audit_logs"
  ADD COLUMN "seq" bigint GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN "xid" xid8 DEFAULT pg_catalog.pg_current_xact_id(),
  ADD COLUMN "outcome" text NOT NULL DEFAULT 'success' CONSTRAINT "audit_logs_outcome_known" CHECK (outcome IN ('success', 'failure', 'denied')),
  ADD COLUMN "actor_type" text,
  ADD COLUMN "impersonator_id" text,
  ADD COLUMN "targets" jsonb,
  ADD COLUMN "request_id" text DEFAULT nullif(current_setting('app.request_id', true), ''),
  ADD COLUMN "session_id" text DEFAULT nullif(current_setting('app.session_id', true), ''),
  ADD COLUMN "user_agent" text DEFAULT nullif(current_setting('app.user_agent', true), ''),
  ADD COLUMN "context" jsonb,
  ADD COLUMN "version" smallint NOT NULL DEFAULT 1,
  ADD COLUMN "database_user" text NOT NULL DEFAULT '';
ALTER TABLE "public"."audit_logs" ALTER COLUMN "database_user" SET DEFAULT session_user;

-- harden.audit_logs_xid_seq_idx
CREATE INDEX CONCURRENTLY "audit_logs_xid_seq_idx" ON "public"."audit_logs" USING btree ("xid", "seq");

-- harden.audit_logs.owner
ALTER TABLE "public"."audit_logs" OWNER TO "case_audit_owner";
ALTER FUNCTION "public"."prevent_audit_modification"() OWNER TO "case_audit_owner";

-- harden.audit_logs.audit_write
CREATE POLICY "audit_write" ON "public"."audit_logs" AS PERMISSIVE FOR INSERT TO "case_audit_owner" WITH CHECK (true);

-- harden.audit_logs.audit_read
CREATE POLICY "audit_read" ON "public"."audit_logs" AS PERMISSIVE FOR SELECT TO "case_audit_owner", "case_audit_reader" USING (true);

-- harden.audit_logs.case_audit_reader
GRANT SELECT ON TABLE "public"."audit_logs" TO "case_audit_reader";

-- harden.case_trail.personal
CREATE TABLE "case_trail"."personal" (
  event text PRIMARY KEY,
  tenant_id bigint,
  subject text NOT NULL,
  salt bytea NOT NULL,
  body jsonb NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now()
);
CREATE INDEX "personal_subject_idx" ON "case_trail"."personal" USING btree (subject);
CREATE POLICY "audit_own" ON "case_trail"."personal" AS PERMISSIVE FOR ALL TO "case_audit_owner" USING (true) WITH CHECK (true);
CREATE POLICY "audit_read" ON "case_trail"."personal" AS PERMISSIVE FOR SELECT TO "case_audit_reader" USING (true);
ALTER TABLE "case_trail"."personal" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "case_trail"."personal" FORCE ROW LEVEL SECURITY;
ALTER TABLE "case_trail"."personal" OWNER TO "case_audit_owner";
GRANT SELECT ON TABLE "case_trail"."personal" TO "case_audit_reader";

-- harden.case_trail.log
CREATE OR REPLACE FUNCTION "case_trail"."log"(action text,
  resource_type text DEFAULT NULL,
  resource_id text DEFAULT NULL,
  outcome text DEFAULT 'success',
  metadata jsonb DEFAULT NULL,
  targets jsonb DEFAULT NULL,
  context jsonb DEFAULT NULL,
  actor_type text DEFAULT NULL,
  impersonator_id text DEFAULT NULL,
  personal jsonb DEFAULT NULL,
  subject text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  event bigint;
  salt bytea;
BEGIN
  IF action IS NULL OR action !~ E'^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+$' OR length(action) > 100 THEN
    RAISE EXCEPTION 'event %: this is no action', coalesce(quote_literal(left(action, 120)), 'NULL') USING ERRCODE = '22023', HINT = 'Write lower-case words joined by dots, such as skill.create.';
  END IF;
  IF action ~ E'^(audit|row)\\.' AND NOT pg_has_role(session_user, 'case_audit_owner', 'MEMBER') THEN
    RAISE EXCEPTION 'event %: actions that begin so are kept for the trail itself', action USING ERRCODE = '22023', HINT = 'Begin the action with another word.';
  END IF;
  IF outcome IS NULL OR outcome NOT IN ('success', 'failure', 'denied') THEN
    RAISE EXCEPTION 'event %: % is no outcome', action, coalesce(quote_literal(outcome), 'NULL') USING ERRCODE = '22023', HINT = 'Say success, failure or denied.';
  END IF;
  IF resource_id IS NOT NULL AND resource_type IS NULL THEN
    RAISE EXCEPTION 'event %: a resource_id without a resource_type', action USING ERRCODE = '22023', HINT = 'Give both.';
  END IF;
  IF jsonb_typeof(metadata) <> 'object' THEN
    RAISE EXCEPTION 'event %: metadata is no JSON object', action USING ERRCODE = '22023', HINT = 'Give a JSON object.';
  END IF;
  IF octet_length(metadata::text) > 65536 THEN
    RAISE EXCEPTION 'event %: metadata has more than 65536 bytes', action USING ERRCODE = '22023', HINT = 'Keep the document elsewhere and record its name.';
  END IF;
  IF jsonb_typeof(targets) <> 'array' THEN
    RAISE EXCEPTION 'event %: targets is no JSON array', action USING ERRCODE = '22023', HINT = 'Give a JSON array.';
  END IF;
  IF octet_length(targets::text) > 65536 THEN
    RAISE EXCEPTION 'event %: targets has more than 65536 bytes', action USING ERRCODE = '22023', HINT = 'Keep the document elsewhere and record its name.';
  END IF;
  IF jsonb_typeof(context) <> 'object' THEN
    RAISE EXCEPTION 'event %: context is no JSON object', action USING ERRCODE = '22023', HINT = 'Give a JSON object.';
  END IF;
  IF octet_length(context::text) > 65536 THEN
    RAISE EXCEPTION 'event %: context has more than 65536 bytes', action USING ERRCODE = '22023', HINT = 'Keep the document elsewhere and record its name.';
  END IF;
  IF jsonb_typeof(personal) <> 'object' THEN
    RAISE EXCEPTION 'event %: personal is no JSON object', action USING ERRCODE = '22023', HINT = 'Give a JSON object.';
  END IF;
  IF octet_length(personal::text) > 65536 THEN
    RAISE EXCEPTION 'event %: personal has more than 65536 bytes', action USING ERRCODE = '22023', HINT = 'Keep the document elsewhere and record its name.';
  END IF;
  IF (personal IS NULL) <> (subject IS NULL) OR subject = '' THEN
    RAISE EXCEPTION 'event %: personal data needs the person it is about', action USING ERRCODE = '22023', HINT = 'Give personal and subject, or neither.';
  END IF;
  IF personal IS NOT NULL THEN
    salt := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
    context := coalesce(context, '{}') || jsonb_build_object('personal',
      'sha256:' || encode(sha256(salt || convert_to(personal::text, 'UTF8')), 'hex'));
  END IF;
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "ip_address", "action", "resource_type", "resource_id", "outcome", "metadata", "targets", "actor_type", "impersonator_id", "context")
  VALUES ((nullif(current_setting('app.current_tenant_id', true), ''))::bigint, (nullif(current_setting('app.actor_id', true), ''))::uuid, (nullif(current_setting('app.ip_address', true), ''))::inet, action::character varying(200), resource_type, resource_id, outcome, metadata, targets, actor_type, impersonator_id, context) RETURNING id INTO event;
  IF personal IS NOT NULL THEN
    INSERT INTO "case_trail"."personal" ("event", "tenant_id", "subject", "salt", "body") VALUES (event::text, (nullif(current_setting('app.current_tenant_id', true), ''))::bigint, subject, salt, personal);
  END IF;
  RETURN event;
END
$$;
ALTER FUNCTION "case_trail"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "case_trail"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "case_trail"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) TO "app_user";

-- harden.case_trail.read
CREATE OR REPLACE FUNCTION "case_trail"."read"(tenant text DEFAULT NULL,
  since timestamp with time zone DEFAULT '-infinity',
  until timestamp with time zone DEFAULT 'infinity',
  most integer DEFAULT 1000) RETURNS SETOF "public"."audit_logs"
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "ip_address", "actor_type", "action", "resource_type", "metadata")
  VALUES (tenant::bigint, (nullif(current_setting('app.actor_id', true), ''))::uuid, (nullif(current_setting('app.ip_address', true), ''))::inet, 'auditor', 'audit.read', 'audit_logs', jsonb_build_object('since', since, 'until', until, 'most', most));
  RETURN QUERY SELECT e.* FROM "public"."audit_logs" AS e
    WHERE (tenant IS NULL OR e.tenant_id = tenant::bigint) AND e.created_at >= since AND e.created_at < until
    ORDER BY e.created_at DESC, e.seq DESC LIMIT most;
END
$$;
ALTER FUNCTION "case_trail"."read"(text, timestamp with time zone, timestamp with time zone, integer) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "case_trail"."read"(text, timestamp with time zone, timestamp with time zone, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "case_trail"."read"(text, timestamp with time zone, timestamp with time zone, integer) TO "case_audit_reader";

-- harden.case_trail.erase
CREATE OR REPLACE FUNCTION "case_trail"."erase"(subject text,
  tenant text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  erased bigint;
BEGIN
  IF subject IS NULL OR subject = '' THEN
    RAISE EXCEPTION 'erase: no subject' USING ERRCODE = '22023', HINT = 'Name the person as the events did.';
  END IF;
  DELETE FROM "case_trail"."personal" AS p
    WHERE p.subject = erase.subject AND (tenant IS NULL OR p.tenant_id = tenant::bigint);
  GET DIAGNOSTICS erased = ROW_COUNT;
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "ip_address", "actor_type", "action", "resource_type", "metadata")
  VALUES (tenant::bigint, (nullif(current_setting('app.actor_id', true), ''))::uuid, (nullif(current_setting('app.ip_address', true), ''))::inet, 'operator', 'audit.erase', 'audit_logs', jsonb_build_object('erased', erased));
  RETURN erased;
END
$$;
ALTER FUNCTION "case_trail"."erase"(text, text) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "case_trail"."erase"(text, text) FROM PUBLIC;

-- harden.customers.case_audit_owner
GRANT SELECT ("id") ON TABLE "public"."customers" TO "case_audit_owner";

-- harden.case_trail.work_begin
CREATE OR REPLACE FUNCTION "case_trail"."work_begin"(reason text,
  ticket text DEFAULT NULL,
  minutes integer DEFAULT 60,
  tenant text DEFAULT NULL,
  actor text DEFAULT NULL,
  request_id text DEFAULT NULL,
  writes boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  kind text := CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN NULL WHEN pg_has_role(session_user, 'case_support', 'USAGE') THEN 'support' END;
  event bigint;
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
    IF NOT EXISTS (SELECT FROM "public"."customers" AS t WHERE t."id"::text = tenant) THEN
      RAISE EXCEPTION 'work: there is no tenant %', quote_literal(tenant)
        USING ERRCODE = '02000', HINT = 'Name one by its id.';
    END IF;
  END IF;
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "action", "resource_type", "resource_id", "metadata", "actor_type", "request_id")
  VALUES ((tenant)::bigint, (actor)::uuid, ('audit.' || kind || '.begin')::character varying(200), CASE WHEN tenant IS NOT NULL THEN 'tenant' END, tenant, jsonb_strip_nulls(jsonb_build_object('role', session_user, 'reason', reason, 'ticket', ticket, 'request_id', request_id, 'writes', writes, 'minutes', minutes, 'from', now(), 'until', clock_timestamp() + make_interval(mins => minutes))), kind, request_id) RETURNING id INTO event;
  RETURN event::text;
END
$$;
ALTER FUNCTION "case_trail"."work_begin"(text, text, integer, text, text, text, boolean) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "case_trail"."work_begin"(text, text, integer, text, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "case_trail"."work_begin"(text, text, integer, text, text, text, boolean) TO "case_support";

-- harden.case_trail.work_open
CREATE OR REPLACE FUNCTION "case_trail"."work_open"() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  kind text := CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN NULL WHEN pg_has_role(session_user, 'case_support', 'USAGE') THEN 'support' END;
  work text := nullif(current_setting('app.work_id', true), '');
  begun record;
BEGIN
  IF kind IS NULL OR work IS NULL THEN
    RAISE EXCEPTION '% reaches rows of tenants only in work that is recorded', session_user USING ERRCODE = '42501', HINT = 'Begin it with system_scope() or support_access() of tenantry.runtime.work.';
  END IF;
  SELECT e.tenant_id, e.created_at, e.metadata INTO begun FROM "public"."audit_logs" AS e
    WHERE e.id = work::bigint AND e.action = 'audit.' || kind || '.begin'
      AND e.metadata ->> 'role' = session_user AND e.database_user = session_user;
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
  IF kind = 'support' AND begun.tenant_id::text IS DISTINCT FROM ((nullif(current_setting('app.current_tenant_id', true), ''))::bigint)::text THEN
    RAISE EXCEPTION 'work % is for tenant % only', work, begun.tenant_id USING ERRCODE = '42501', HINT = 'Begin work for the other tenant.';
  END IF;
  IF NOT (begun.metadata ->> 'writes')::boolean AND current_setting('transaction_read_only') = 'off' THEN
    RAISE EXCEPTION 'work % may only read', work USING ERRCODE = '42501', HINT = 'Make its transactions READ ONLY, or begin work that writes.';
  END IF;
  RETURN true;
END
$$;
ALTER FUNCTION "case_trail"."work_open"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "case_trail"."work_open"() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "case_trail"."work_open"() TO "case_support";

-- harden.case_trail.work_end
CREATE OR REPLACE FUNCTION "case_trail"."work_end"(work text,
  outcome text,
  actor text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  kind text := CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN NULL WHEN pg_has_role(session_user, 'case_support', 'USAGE') THEN 'support' END;
  begun record;
BEGIN
  SELECT e.tenant_id, e.created_at INTO begun FROM "public"."audit_logs" AS e
    WHERE e.id = work::bigint AND e.action = 'audit.' || kind || '.begin'
      AND e.metadata ->> 'role' = session_user AND e.database_user = session_user;
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
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "action", "resource_type", "resource_id", "metadata", "outcome", "actor_type")
  VALUES (begun.tenant_id, (actor)::uuid, ('audit.' || kind || '.end')::character varying(200), 'work', work, jsonb_build_object('role', session_user, 'outcome', outcome, 'seconds', round(extract(epoch FROM clock_timestamp() - begun.created_at), 3)), outcome, kind);
END
$$;
ALTER FUNCTION "case_trail"."work_end"(text, text, text) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "case_trail"."work_end"(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "case_trail"."work_end"(text, text, text) TO "case_support";

-- harden.case_trail.capture_notes
CREATE OR REPLACE FUNCTION "case_trail"."capture_notes"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
  actor uuid := (nullif(current_setting('app.actor_id', true), ''))::uuid;
  address inet := (nullif(current_setting('app.ip_address', true), ''))::inet;
  request text := nullif(current_setting('app.request_id', true), '');
  session text := nullif(current_setting('app.session_id', true), '');
  agent text := nullif(current_setting('app.user_agent', true), '');
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::bigint, 'row.truncate', 'notes', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, n."tenant_id", 'row.insert', 'notes', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'body', n."body")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, o."tenant_id", 'row.delete', 'notes', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'body', o."body")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."tenant_id" ELSE n."tenant_id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'notes', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'body', n."body")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'body', o."body")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN o."body" IS DISTINCT FROM n."body" THEN '"body": ' || coalesce(to_json(o."body")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN o."body" IS DISTINCT FROM n."body" THEN '"body": ' || coalesce(to_json(n."body")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id" AND o."tenant_id" = n."tenant_id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR o."body" IS DISTINCT FROM n."body";
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "case_trail"."capture_notes"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "case_trail"."capture_notes"() FROM PUBLIC;

-- harden.notes.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."notes" FOR EACH STATEMENT EXECUTE FUNCTION "case_trail"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.notes.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."notes" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "case_trail"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.notes.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."notes" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "case_trail"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.notes.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."notes" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "case_trail"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_update";

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
CREATE POLICY "tenant_isolation" ON "public"."notes" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint);
CREATE POLICY "observe" ON "public"."notes" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('notes'))) WITH CHECK ((SELECT tenantry.observe('notes')));
ALTER TABLE "public"."notes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."notes" FORCE ROW LEVEL SECURITY;

-- observe.customers.isolate
CREATE POLICY "tenant_isolation" ON "public"."customers" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint) WITH CHECK ("id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint);
CREATE POLICY "observe" ON "public"."customers" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('customers'))) WITH CHECK ((SELECT tenantry.observe('customers')));
ALTER TABLE "public"."customers" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."customers" FORCE ROW LEVEL SECURITY;

-- observe.audit_logs.isolate
CREATE POLICY "tenant_isolation" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint) WITH CHECK ("tenant_id" = nullif(current_setting('app.current_tenant_id', true), '')::bigint);
CREATE POLICY "observe" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('audit_logs'))) WITH CHECK ((SELECT tenantry.observe('audit_logs')));
ALTER TABLE "public"."audit_logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."audit_logs" FORCE ROW LEVEL SECURITY;

-- observe.customers.tenant_support
CREATE POLICY "tenant_support" ON "public"."customers" AS RESTRICTIVE FOR ALL TO "case_support" USING ((SELECT "case_trail"."work_open"())) WITH CHECK ((SELECT "case_trail"."work_open"()));

-- observe.notes.tenant_support
CREATE POLICY "tenant_support" ON "public"."notes" AS RESTRICTIVE FOR ALL TO "case_support" USING ((SELECT "case_trail"."work_open"())) WITH CHECK ((SELECT "case_trail"."work_open"()));

-- observe.customers.grants
GRANT SELECT ON TABLE "public"."customers" TO "app_user";

-- observe.notes.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."notes" TO "app_user";

-- observe.schema.case_trail.case_support
GRANT USAGE ON SCHEMA "case_trail" TO "case_support";

-- observe.customers.case_support
GRANT SELECT ON TABLE "public"."customers" TO "case_support";

-- observe.notes.case_support
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."notes" TO "case_support";

-- observe.audit_logs.grants
GRANT SELECT ON TABLE "public"."audit_logs" TO "app_user";
GRANT INSERT ("actor_id", "tenant_id", "action", "resource_type", "resource_id", "ip_address", "metadata", "outcome", "actor_type", "impersonator_id", "targets", "request_id", "session_id", "user_agent", "context", "version") ON TABLE "public"."audit_logs" TO "app_user";

-- cutover.notes.observe
DROP POLICY IF EXISTS "observe" ON "public"."notes";

-- cutover.customers.observe
DROP POLICY IF EXISTS "observe" ON "public"."customers";

-- cutover.audit_logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."audit_logs";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.notes.tenant_id.default
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT (nullif(current_setting('app.current_tenant_id', true), ''))::bigint;

-- cutover.audit_guard
CREATE SCHEMA "case_trail_guard";
CREATE OR REPLACE FUNCTION "case_trail_guard"."guard_ddl"() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found text;
BEGIN
  IF current_user = 'case_audit_owner' AND session_user <> current_user
    AND current_setting('role') = 'none' THEN
    RETURN;
  END IF;
  IF to_regclass('"public"."audit_logs"') IS NULL THEN
    RAISE EXCEPTION '% is refused: it changes % of the audit trail', TG_TAG, 'the name'
      USING ERRCODE = '42501', HINT = 'A plan of tenantry changes it; a superuser switches the event triggers audit_guard_… off first.';
  END IF;
  WITH RECURSIVE guarded (oid) AS (
      SELECT to_regclass('"public"."audit_logs"')::oid
      UNION SELECT to_regclass('"case_trail"."personal"')::oid
      UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN guarded AS g ON g.oid = i.inhparent
    )
  SELECT c.object_identity INTO found FROM pg_event_trigger_ddl_commands() AS c
    WHERE c.classid = 'pg_class'::regclass AND c.objid IN (SELECT oid FROM guarded)
      AND c.command_tag NOT IN ('CREATE INDEX', 'COMMENT')
    OR c.classid = 'pg_trigger'::regclass AND EXISTS (
      SELECT FROM pg_trigger AS x WHERE x.oid = c.objid AND x.tgrelid IN (SELECT oid FROM guarded))
    OR c.classid = 'pg_rewrite'::regclass AND EXISTS (
      SELECT FROM pg_rewrite AS x WHERE x.oid = c.objid AND x.ev_class IN (SELECT oid FROM guarded))
    OR c.classid = 'pg_policy'::regclass AND EXISTS (
      SELECT FROM pg_policy AS x WHERE x.oid = c.objid AND x.polrelid IN (SELECT oid FROM guarded))
    OR c.classid = 'pg_proc'::regclass AND c.objid = to_regprocedure('"public"."prevent_audit_modification"()')
    OR c.schema_name = '"case_trail"' OR c.schema_name = 'case_trail'
    OR c.classid = 'pg_namespace'::regclass AND c.objid IN (
      SELECT n.oid FROM pg_namespace AS n WHERE n.nspname IN ('case_trail', 'public'))
      AND c.command_tag = 'ALTER SCHEMA'
    LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION '% is refused: it changes % of the audit trail', TG_TAG, found
      USING ERRCODE = '42501', HINT = 'A plan of tenantry changes it; a superuser switches the event triggers audit_guard_… off first.';
  END IF;
  SELECT x.tgname INTO found FROM pg_trigger AS x
    WHERE starts_with(x.tgname::text, 'audit_capture_') AND x.tgenabled <> 'A' LIMIT 1;
  IF found IS NOT NULL AND TG_TAG = 'ALTER TABLE' THEN
    RAISE EXCEPTION '% is refused: it changes % of the audit trail', TG_TAG, found
      USING ERRCODE = '42501', HINT = 'A plan of tenantry changes it; a superuser switches the event triggers audit_guard_… off first.';
  END IF;
END
$$;
CREATE OR REPLACE FUNCTION "case_trail_guard"."guard_drop"() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found text;
BEGIN
  IF current_user = 'case_audit_owner' AND session_user <> current_user
    AND current_setting('role') = 'none' THEN
    RETURN;
  END IF;
  SELECT d.object_identity INTO found FROM pg_event_trigger_dropped_objects() AS d
    WHERE d.schema_name IN ('case_trail', 'tenantry_audit') OR d.object_type = 'schema' AND d.object_name IN ('case_trail', 'tenantry_audit')
    OR d.object_type IN ('table', 'table column', 'trigger', 'policy', 'rule', 'table constraint', 'default value')
      AND d.address_names[1:2] = ARRAY['public', 'audit_logs']
    OR d.object_type = 'function' AND d.address_names = ARRAY['public', 'prevent_audit_modification']
    OR d.object_type = 'trigger' AND d.original AND starts_with(d.address_names[3], 'audit_capture_')
    LIMIT 1;
  IF found IS NOT NULL THEN
    RAISE EXCEPTION '% is refused: it changes % of the audit trail', TG_TAG, found
      USING ERRCODE = '42501', HINT = 'A plan of tenantry changes it; a superuser switches the event triggers audit_guard_… off first.';
  END IF;
END
$$;
CREATE OR REPLACE FUNCTION "case_trail_guard"."guard_rewrite"() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found oid;
BEGIN
  IF current_user = 'case_audit_owner' AND session_user <> current_user
    AND current_setting('role') = 'none' THEN
    RETURN;
  END IF;
  WITH RECURSIVE guarded (oid) AS (
      SELECT to_regclass('"public"."audit_logs"')::oid
      UNION SELECT to_regclass('"case_trail"."personal"')::oid
      UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN guarded AS g ON g.oid = i.inhparent
    )
  SELECT g.oid INTO found FROM guarded AS g WHERE g.oid = pg_event_trigger_table_rewrite_oid();
  IF found IS NOT NULL THEN
    RAISE EXCEPTION '% is refused: it changes % of the audit trail', TG_TAG, found::regclass
      USING ERRCODE = '42501', HINT = 'A plan of tenantry changes it; a superuser switches the event triggers audit_guard_… off first.';
  END IF;
END
$$;
CREATE EVENT TRIGGER "audit_guard_ddl" ON ddl_command_end EXECUTE FUNCTION "case_trail_guard"."guard_ddl"();
CREATE EVENT TRIGGER "audit_guard_drop" ON sql_drop EXECUTE FUNCTION "case_trail_guard"."guard_drop"();
CREATE EVENT TRIGGER "audit_guard_rewrite" ON table_rewrite EXECUTE FUNCTION "case_trail_guard"."guard_rewrite"();
ALTER EVENT TRIGGER "audit_guard_ddl" ENABLE ALWAYS;
ALTER EVENT TRIGGER "audit_guard_drop" ENABLE ALWAYS;
ALTER EVENT TRIGGER "audit_guard_rewrite" ENABLE ALWAYS;
