-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role case_writer: is made without a password; set one ('case_writer' cannot log in over a password line of pg_hba.conf until then)

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

-- columns.people.users.tenant_id
ALTER TABLE "people"."users" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "people"."users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.people.users.tenant_id.check
ALTER TABLE "people"."users" ADD CONSTRAINT "users_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.people.users.tenant_id.validate
ALTER TABLE "people"."users" VALIDATE CONSTRAINT "users_tenant_id_present";

-- enforce.people.users.tenant_id.not_null
ALTER TABLE "people"."users" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "people"."users" DROP CONSTRAINT "users_tenant_id_present";

-- enforce.people.users.users_tenant_id_fk
ALTER TABLE "people"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.people.users.users_tenant_id_fk.validate
ALTER TABLE "people"."users" VALIDATE CONSTRAINT "users_tenant_id_fk";

-- enforce.people.users.users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "users_tenant_id_idx" ON "people"."users" USING btree ("tenant_id");

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

-- harden.role.case_writer
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_writer') THEN
    CREATE ROLE "case_writer" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
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

-- harden.audit_logs.tenant_id.check
ALTER TABLE "public"."audit_logs" ADD CONSTRAINT "audit_logs_tenant_id_not_empty" CHECK ("tenant_id" <> '') NOT VALID;

-- harden.audit_logs.tenant_id.validate
ALTER TABLE "public"."audit_logs" VALIDATE CONSTRAINT "audit_logs_tenant_id_not_empty";

-- harden.schema.audit
CREATE SCHEMA "audit" AUTHORIZATION "case_audit_owner";

-- harden.schema.audit.case_writer
GRANT USAGE ON SCHEMA "audit" TO "case_writer";

-- harden.schema.audit.case_audit_reader
GRANT USAGE ON SCHEMA "audit" TO "case_audit_reader";

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

-- harden.audit.personal
CREATE TABLE "audit"."personal" (
  event text PRIMARY KEY,
  tenant_id text,
  subject text NOT NULL,
  salt bytea NOT NULL,
  body jsonb NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now()
);
CREATE INDEX "personal_subject_idx" ON "audit"."personal" USING btree (subject);
CREATE POLICY "audit_own" ON "audit"."personal" AS PERMISSIVE FOR ALL TO "case_audit_owner" USING (true) WITH CHECK (true);
CREATE POLICY "audit_read" ON "audit"."personal" AS PERMISSIVE FOR SELECT TO "case_audit_reader" USING (true);
ALTER TABLE "audit"."personal" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "audit"."personal" FORCE ROW LEVEL SECURITY;
ALTER TABLE "audit"."personal" OWNER TO "case_audit_owner";
GRANT SELECT ON TABLE "audit"."personal" TO "case_audit_reader";

-- harden.audit.log
CREATE OR REPLACE FUNCTION "audit"."log"(action text,
  resource_type text DEFAULT NULL,
  resource_id text DEFAULT NULL,
  outcome text DEFAULT 'success',
  metadata jsonb DEFAULT NULL,
  targets jsonb DEFAULT NULL,
  context jsonb DEFAULT NULL,
  actor_type text DEFAULT NULL,
  impersonator_id text DEFAULT NULL,
  personal jsonb DEFAULT NULL,
  subject text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  event uuid;
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
  VALUES (nullif(current_setting('app.current_tenant_id', true), ''), nullif(current_setting('app.actor_id', true), ''), nullif(current_setting('app.ip_address', true), ''), action, resource_type, resource_id, outcome, metadata, targets, actor_type, impersonator_id, context) RETURNING id INTO event;
  IF personal IS NOT NULL THEN
    INSERT INTO "audit"."personal" ("event", "tenant_id", "subject", "salt", "body") VALUES (event::text, nullif(current_setting('app.current_tenant_id', true), ''), subject, salt, personal);
  END IF;
  RETURN event;
END
$$;
ALTER FUNCTION "audit"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "audit"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "audit"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) TO "case_writer";

-- harden.audit.read
CREATE OR REPLACE FUNCTION "audit"."read"(tenant text DEFAULT NULL,
  since timestamp with time zone DEFAULT '-infinity',
  until timestamp with time zone DEFAULT 'infinity',
  most integer DEFAULT 1000) RETURNS SETOF "public"."audit_logs"
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "ip_address", "actor_type", "action", "resource_type", "metadata")
  VALUES (tenant, coalesce(nullif(current_setting('app.actor_id', true), ''), session_user), nullif(current_setting('app.ip_address', true), ''), 'auditor', 'audit.read', 'audit_logs', jsonb_build_object('since', since, 'until', until, 'most', most));
  RETURN QUERY SELECT e.* FROM "public"."audit_logs" AS e
    WHERE (tenant IS NULL OR e.tenant_id = tenant) AND e.created_at >= since AND e.created_at < until
    ORDER BY e.created_at DESC, e.seq DESC LIMIT most;
END
$$;
ALTER FUNCTION "audit"."read"(text, timestamp with time zone, timestamp with time zone, integer) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "audit"."read"(text, timestamp with time zone, timestamp with time zone, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "audit"."read"(text, timestamp with time zone, timestamp with time zone, integer) TO "case_audit_reader";

-- harden.audit.erase
CREATE OR REPLACE FUNCTION "audit"."erase"(subject text,
  tenant text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  erased bigint;
BEGIN
  IF subject IS NULL OR subject = '' THEN
    RAISE EXCEPTION 'erase: no subject' USING ERRCODE = '22023', HINT = 'Name the person as the events did.';
  END IF;
  DELETE FROM "audit"."personal" AS p
    WHERE p.subject = erase.subject AND (tenant IS NULL OR p.tenant_id = tenant);
  GET DIAGNOSTICS erased = ROW_COUNT;
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "ip_address", "actor_type", "action", "resource_type", "metadata")
  VALUES (tenant, coalesce(nullif(current_setting('app.actor_id', true), ''), session_user), nullif(current_setting('app.ip_address', true), ''), 'operator', 'audit.erase', 'audit_logs', jsonb_build_object('erased', erased));
  RETURN erased;
END
$$;
ALTER FUNCTION "audit"."erase"(text, text) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "audit"."erase"(text, text) FROM PUBLIC;

-- harden.schema.people.case_audit_owner
GRANT USAGE ON SCHEMA "people" TO "case_audit_owner";

-- harden.people.users.capture.columns
GRANT SELECT ("id", "tenant_id") ON TABLE "people"."users" TO "case_audit_owner";

-- harden.audit.capture_accounts
CREATE OR REPLACE FUNCTION "audit"."capture_accounts"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
  actor text := nullif(current_setting('app.actor_id', true), '');
  address text := nullif(current_setting('app.ip_address', true), '');
  request text := nullif(current_setting('app.request_id', true), '');
  session text := nullif(current_setting('app.session_id', true), '');
  agent text := nullif(current_setting('app.user_agent', true), '');
  base text := left(replace(gen_random_uuid()::text, '-', ''), 24);
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'accounts', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.insert', 'accounts', jsonb_build_array(n."provider", n."number")::text, jsonb_build_object('new', jsonb_build_object('provider', n."provider", 'number', n."number", 'user_id', n."user_id")), CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_new AS n CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "people"."users" AS p WHERE p."id" = n."user_id") END OFFSET 0) AS w (tenant);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.delete', 'accounts', jsonb_build_array(o."provider", o."number")::text, jsonb_build_object('old', jsonb_build_object('provider', o."provider", 'number', o."number", 'user_id', o."user_id")), CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_old AS o CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "people"."users" AS p WHERE p."id" = o."user_id") END OFFSET 0) AS w (tenant);
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.' || CASE WHEN o."provider" IS NULL THEN 'insert' WHEN n."provider" IS NULL THEN 'delete' ELSE 'update' END, 'accounts', CASE WHEN n."provider" IS NULL THEN jsonb_build_array(o."provider", o."number")::text ELSE jsonb_build_array(n."provider", n."number")::text END, CASE WHEN o."provider" IS NULL THEN jsonb_build_object('new', jsonb_build_object('provider', n."provider", 'number', n."number", 'user_id', n."user_id")) WHEN n."provider" IS NULL THEN jsonb_build_object('old', jsonb_build_object('provider', o."provider", 'number', o."number", 'user_id', o."user_id")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."provider" IS DISTINCT FROM n."provider" THEN '"provider": ' || coalesce(to_json(o."provider")::text, 'null') END, CASE WHEN o."number" IS DISTINCT FROM n."number" THEN '"number": ' || coalesce(to_json(o."number")::text, 'null') END, CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(o."user_id")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."provider" IS DISTINCT FROM n."provider" THEN '"provider": ' || coalesce(to_json(n."provider")::text, 'null') END, CASE WHEN o."number" IS DISTINCT FROM n."number" THEN '"number": ' || coalesce(to_json(n."number")::text, 'null') END, CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(n."user_id")::text, 'null') END) || '}}')::jsonb END, CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."provider" = n."provider" AND o."number" = n."number" AND o."user_id" = n."user_id" CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "people"."users" AS p WHERE p."id" = CASE WHEN n."provider" IS NULL THEN o."user_id" ELSE n."user_id" END) END OFFSET 0) AS w (tenant)
    WHERE o."provider" IS NULL OR n."provider" IS NULL OR o."provider" IS DISTINCT FROM n."provider" OR o."number" IS DISTINCT FROM n."number" OR o."user_id" IS DISTINCT FROM n."user_id";
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "audit"."capture_accounts"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "audit"."capture_accounts"() FROM PUBLIC;

-- harden.accounts.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."accounts" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.accounts.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."accounts" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.accounts.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."accounts" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.accounts.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."accounts" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- harden.audit.capture_sessions
CREATE OR REPLACE FUNCTION "audit"."capture_sessions"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
  actor text := nullif(current_setting('app.actor_id', true), '');
  address text := nullif(current_setting('app.ip_address', true), '');
  request text := nullif(current_setting('app.request_id', true), '');
  session text := nullif(current_setting('app.session_id', true), '');
  agent text := nullif(current_setting('app.user_agent', true), '');
  base text := left(replace(gen_random_uuid()::text, '-', ''), 24);
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'sessions', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.insert', 'sessions', n."token"::text, jsonb_build_object('new', jsonb_build_object('token', n."token", 'user_id', n."user_id")), CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_new AS n CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "people"."users" AS p WHERE p."id" = n."user_id") END OFFSET 0) AS w (tenant);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.delete', 'sessions', o."token"::text, jsonb_build_object('old', jsonb_build_object('token', o."token", 'user_id', o."user_id")), CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_old AS o CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "people"."users" AS p WHERE p."id" = o."user_id") END OFFSET 0) AS w (tenant);
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.' || CASE WHEN o."token" IS NULL THEN 'insert' WHEN n."token" IS NULL THEN 'delete' ELSE 'update' END, 'sessions', CASE WHEN n."token" IS NULL THEN o."token"::text ELSE n."token"::text END, CASE WHEN o."token" IS NULL THEN jsonb_build_object('new', jsonb_build_object('token', n."token", 'user_id', n."user_id")) WHEN n."token" IS NULL THEN jsonb_build_object('old', jsonb_build_object('token', o."token", 'user_id', o."user_id")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."token" IS DISTINCT FROM n."token" THEN '"token": ' || coalesce(to_json(o."token")::text, 'null') END, CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(o."user_id")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."token" IS DISTINCT FROM n."token" THEN '"token": ' || coalesce(to_json(n."token")::text, 'null') END, CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(n."user_id")::text, 'null') END) || '}}')::jsonb END, CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."token" = n."token" AND ARRAY[o."user_id"] = ARRAY[n."user_id"] CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "people"."users" AS p WHERE p."id" = CASE WHEN n."token" IS NULL THEN o."user_id" ELSE n."user_id" END) END OFFSET 0) AS w (tenant)
    WHERE o."token" IS NULL OR n."token" IS NULL OR o."token" IS DISTINCT FROM n."token" OR o."user_id" IS DISTINCT FROM n."user_id";
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "audit"."capture_sessions"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "audit"."capture_sessions"() FROM PUBLIC;

-- harden.sessions.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."sessions" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_sessions"();
ALTER TABLE "public"."sessions" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.sessions.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."sessions" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_sessions"();
ALTER TABLE "public"."sessions" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.sessions.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."sessions" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_sessions"();
ALTER TABLE "public"."sessions" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.sessions.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."sessions" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_sessions"();
ALTER TABLE "public"."sessions" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- harden.audit.capture_mails
CREATE OR REPLACE FUNCTION "audit"."capture_mails"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_variable
DECLARE
  actor text := nullif(current_setting('app.actor_id', true), '');
  address text := nullif(current_setting('app.ip_address', true), '');
  request text := nullif(current_setting('app.request_id', true), '');
  session text := nullif(current_setting('app.session_id', true), '');
  agent text := nullif(current_setting('app.user_agent', true), '');
  base text := left(replace(gen_random_uuid()::text, '-', ''), 24);
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'mails', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, NULL::text, 'row.insert', 'mails', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'mail', n."mail")), '{"captured": true, "tenant": "unknown"}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, NULL::text, 'row.delete', 'mails', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'mail', o."mail")), '{"captured": true, "tenant": "unknown"}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, NULL::text, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'mails', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'mail', n."mail")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'mail', o."mail")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."mail"), ROW(n."mail")) THEN '"mail": ' || coalesce(to_json(o."mail")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."mail"), ROW(n."mail")) THEN '"mail": ' || coalesce(to_json(n."mail")::text, 'null') END) || '}}')::jsonb END, '{"captured": true, "tenant": "unknown"}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR record_image_ne(ROW(o."mail"), ROW(n."mail"));
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "audit"."capture_mails"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "audit"."capture_mails"() FROM PUBLIC;

-- harden.mails.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."mails" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_mails"();
ALTER TABLE "public"."mails" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.mails.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."mails" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_mails"();
ALTER TABLE "public"."mails" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.mails.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."mails" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_mails"();
ALTER TABLE "public"."mails" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.mails.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."mails" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_mails"();
ALTER TABLE "public"."mails" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- harden.people.users.users_email_key.global
COMMENT ON CONSTRAINT "users_email_key" ON "people"."users" IS 'Unique across tenants: sign-in';

-- harden.schema.people.case_writer
GRANT USAGE ON SCHEMA "people" TO "case_writer";

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.people.users.analyze
ANALYZE "people"."users" ("tenant_id");

-- observe.people.users.isolate
CREATE POLICY "tenant_isolation" ON "people"."users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "people"."users" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('people.users'))) WITH CHECK ((SELECT tenantry.observe('people.users')));
ALTER TABLE "people"."users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "people"."users" FORCE ROW LEVEL SECURITY;

-- observe.accounts.isolate
CREATE POLICY "tenant_isolation" ON "public"."accounts" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "people"."users" p WHERE p."id" = "public"."accounts"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "people"."users" p WHERE p."id" = "public"."accounts"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
CREATE POLICY "observe" ON "public"."accounts" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('accounts'))) WITH CHECK ((SELECT tenantry.observe('accounts')));
ALTER TABLE "public"."accounts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."accounts" FORCE ROW LEVEL SECURITY;

-- observe.mails.isolate
CREATE POLICY "tenant_isolation" ON "public"."mails" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "people"."users" p WHERE p."email" = "public"."mails"."mail" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "people"."users" p WHERE p."email" = "public"."mails"."mail" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
CREATE POLICY "observe" ON "public"."mails" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('mails'))) WITH CHECK ((SELECT tenantry.observe('mails')));
ALTER TABLE "public"."mails" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."mails" FORCE ROW LEVEL SECURITY;

-- observe.sessions.isolate
CREATE POLICY "tenant_isolation" ON "public"."sessions" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "people"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "people"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
CREATE POLICY "observe" ON "public"."sessions" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('sessions'))) WITH CHECK ((SELECT tenantry.observe('sessions')));
ALTER TABLE "public"."sessions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."sessions" FORCE ROW LEVEL SECURITY;

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

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "case_writer";

-- observe.people.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "people"."users" TO "case_writer";

-- observe.accounts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."accounts" TO "case_writer";

-- observe.mails.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."mails" TO "case_writer";

-- observe.sessions.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."sessions" TO "case_writer";

-- observe.audit_logs.grants
GRANT SELECT ON TABLE "public"."audit_logs" TO "case_writer";
GRANT INSERT ("actor_id", "tenant_id", "action", "resource_type", "resource_id", "ip_address", "metadata", "outcome", "actor_type", "impersonator_id", "targets", "request_id", "session_id", "user_agent", "context", "version") ON TABLE "public"."audit_logs" TO "case_writer";

-- cutover.people.users.observe
DROP POLICY IF EXISTS "observe" ON "people"."users";

-- cutover.accounts.observe
DROP POLICY IF EXISTS "observe" ON "public"."accounts";

-- cutover.mails.observe
DROP POLICY IF EXISTS "observe" ON "public"."mails";

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

-- cutover.people.users.tenant_id.default
ALTER TABLE "people"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
