-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT

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
REVOKE ALL ON TABLE "public"."tenants" FROM "case_writer";
REVOKE ALL ON TABLE "public"."tenants" FROM PUBLIC;

-- tenants.default
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('first', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.Odd "desks".tenant_id
ALTER TABLE "public"."Odd ""desks""" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."Odd ""desks""" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.notes.tenant_id
ALTER TABLE "public"."notes" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.Odd "desks".tenant_id.check
ALTER TABLE "public"."Odd ""desks""" ADD CONSTRAINT "Odd ""desks""_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.Odd "desks".tenant_id.validate
ALTER TABLE "public"."Odd ""desks""" VALIDATE CONSTRAINT "Odd ""desks""_tenant_id_present";

-- enforce.Odd "desks".tenant_id.not_null
ALTER TABLE "public"."Odd ""desks""" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."Odd ""desks""" DROP CONSTRAINT "Odd ""desks""_tenant_id_present";

-- enforce.notes.tenant_id.check
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.notes.tenant_id.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_present";

-- enforce.notes.tenant_id.not_null
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_tenant_id_present";

-- enforce.Odd "desks".Odd "desks"_tenant_id_fk
ALTER TABLE "public"."Odd ""desks""" ADD CONSTRAINT "Odd ""desks""_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.Odd "desks".Odd "desks"_tenant_id_fk.validate
ALTER TABLE "public"."Odd ""desks""" VALIDATE CONSTRAINT "Odd ""desks""_tenant_id_fk";

-- enforce.notes.notes_tenant_id_fk
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.notes.notes_tenant_id_fk.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_fk";

-- enforce.Odd "desks".Odd "desks"_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "Odd ""desks""_tenant_id_idx" ON "public"."Odd ""desks""" USING btree ("tenant_id");

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

-- harden.schema.Trail of events
CREATE SCHEMA "Trail of events" AUTHORIZATION "case_audit_owner";

-- harden.schema.Trail of events.case_writer
GRANT USAGE ON SCHEMA "Trail of events" TO "case_writer";

-- harden.schema.Trail of events.case_audit_reader
GRANT USAGE ON SCHEMA "Trail of events" TO "case_audit_reader";

-- harden.audit_logs.events
ALTER TABLE "public"."audit_logs"
  ADD COLUMN "seq" bigint GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN "xid" xid8 DEFAULT pg_catalog.pg_current_xact_id(),
  ADD COLUMN "outcome" text NOT NULL DEFAULT 'success' CONSTRAINT "audit_logs_outcome_known" CHECK (outcome IN ('success', 'failure', 'denied')),
  ADD COLUMN "actor_type" text,
  ADD COLUMN "impersonator_id" text,
  ADD COLUMN "targets" jsonb,
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

-- harden.Trail of events.personal
CREATE TABLE "Trail of events"."personal" (
  event text PRIMARY KEY,
  tenant_id text,
  subject text NOT NULL,
  salt bytea NOT NULL,
  body jsonb NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now()
);
CREATE INDEX "personal_subject_idx" ON "Trail of events"."personal" USING btree (subject);
CREATE POLICY "audit_own" ON "Trail of events"."personal" AS PERMISSIVE FOR ALL TO "case_audit_owner" USING (true) WITH CHECK (true);
CREATE POLICY "audit_read" ON "Trail of events"."personal" AS PERMISSIVE FOR SELECT TO "case_audit_reader" USING (true);
ALTER TABLE "Trail of events"."personal" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "Trail of events"."personal" FORCE ROW LEVEL SECURITY;
ALTER TABLE "Trail of events"."personal" OWNER TO "case_audit_owner";
GRANT SELECT ON TABLE "Trail of events"."personal" TO "case_audit_reader";

-- harden.Trail of events.log
CREATE OR REPLACE FUNCTION "Trail of events"."log"(action text,
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
  IF action <> ALL (ARRAY['auth.login', 'desk.move']) AND action !~ E'^(audit|row)\\.' THEN
    RAISE EXCEPTION 'event %: the action is not declared', action USING ERRCODE = '22023', HINT = 'Correct it, or add it to [audit] actions and apply the plan.';
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
  VALUES (nullif(current_setting('app.current_tenant_id', true), ''), (nullif(current_setting('app.actor_id', true), ''))::uuid, (nullif(current_setting('app.ip_address', true), ''))::inet, action::character varying(200), resource_type, resource_id, outcome, metadata, targets, actor_type, impersonator_id, context) RETURNING id INTO event;
  IF personal IS NOT NULL THEN
    INSERT INTO "Trail of events"."personal" ("event", "tenant_id", "subject", "salt", "body") VALUES (event::text, nullif(current_setting('app.current_tenant_id', true), ''), subject, salt, personal);
  END IF;
  RETURN event;
END
$$;
ALTER FUNCTION "Trail of events"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "Trail of events"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) TO "case_writer";

-- harden.Trail of events.read
CREATE OR REPLACE FUNCTION "Trail of events"."read"(tenant text DEFAULT NULL,
  since timestamp with time zone DEFAULT '-infinity',
  until timestamp with time zone DEFAULT 'infinity',
  most integer DEFAULT 1000) RETURNS SETOF "public"."audit_logs"
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "ip_address", "actor_type", "action", "resource_type", "metadata")
  VALUES (tenant, (nullif(current_setting('app.actor_id', true), ''))::uuid, (nullif(current_setting('app.ip_address', true), ''))::inet, 'auditor', 'audit.read', 'audit_logs', jsonb_build_object('since', since, 'until', until, 'most', most));
  RETURN QUERY SELECT e.* FROM "public"."audit_logs" AS e
    WHERE (tenant IS NULL OR e.tenant_id = tenant) AND e.created_at >= since AND e.created_at < until
    ORDER BY e.created_at DESC, e.seq DESC LIMIT most;
END
$$;
ALTER FUNCTION "Trail of events"."read"(text, timestamp with time zone, timestamp with time zone, integer) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."read"(text, timestamp with time zone, timestamp with time zone, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "Trail of events"."read"(text, timestamp with time zone, timestamp with time zone, integer) TO "case_audit_reader";

-- harden.Trail of events.erase
CREATE OR REPLACE FUNCTION "Trail of events"."erase"(subject text,
  tenant text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
AS $$
DECLARE
  erased bigint;
BEGIN
  IF subject IS NULL OR subject = '' THEN
    RAISE EXCEPTION 'erase: no subject' USING ERRCODE = '22023', HINT = 'Name the person as the events did.';
  END IF;
  DELETE FROM "Trail of events"."personal" AS p
    WHERE p.subject = erase.subject AND (tenant IS NULL OR p.tenant_id = tenant);
  GET DIAGNOSTICS erased = ROW_COUNT;
  INSERT INTO "public"."audit_logs" ("tenant_id", "actor_id", "ip_address", "actor_type", "action", "resource_type", "metadata")
  VALUES (tenant, (nullif(current_setting('app.actor_id', true), ''))::uuid, (nullif(current_setting('app.ip_address', true), ''))::inet, 'operator', 'audit.erase', 'audit_logs', jsonb_build_object('erased', erased));
  RETURN erased;
END
$$;
ALTER FUNCTION "Trail of events"."erase"(text, text) OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."erase"(text, text) FROM PUBLIC;

-- harden.Trail of events.capture_"Odd ""desks"""
CREATE OR REPLACE FUNCTION "Trail of events"."capture_""Odd """"desks"""""""() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'Odd "desks"', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, n."tenant_id", 'row.insert', 'Odd "desks"', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'it''s a ''label''', n."it's a 'label'", 'doc', n."doc", 'at', n."at", 'secret', '[redacted]'::text)), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, o."tenant_id", 'row.delete', 'Odd "desks"', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'it''s a ''label''', o."it's a 'label'", 'doc', o."doc", 'at', o."at", 'secret', '[redacted]'::text)), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."tenant_id" ELSE n."tenant_id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'Odd "desks"', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'it''s a ''label''', n."it's a 'label'", 'doc', n."doc", 'at', n."at", 'secret', '[redacted]'::text)) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'it''s a ''label''', o."it's a 'label'", 'doc', o."doc", 'at', o."at", 'secret', '[redacted]'::text)) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN o."it's a 'label'" IS DISTINCT FROM n."it's a 'label'" THEN '"it''s a ''label''": ' || coalesce(to_json(o."it's a 'label'")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."doc"), ROW(n."doc")) THEN '"doc": ' || coalesce(to_json(o."doc")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."at"), ROW(n."at")) THEN '"at": ' || coalesce(to_json(o."at")::text, 'null') END, CASE WHEN o."secret" IS DISTINCT FROM n."secret" THEN '"secret": "[redacted]"' END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN o."it's a 'label'" IS DISTINCT FROM n."it's a 'label'" THEN '"it''s a ''label''": ' || coalesce(to_json(n."it's a 'label'")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."doc"), ROW(n."doc")) THEN '"doc": ' || coalesce(to_json(n."doc")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."at"), ROW(n."at")) THEN '"at": ' || coalesce(to_json(n."at")::text, 'null') END, CASE WHEN o."secret" IS DISTINCT FROM n."secret" THEN '"secret": "[redacted]"' END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id" AND o."tenant_id" = n."tenant_id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR o."it's a 'label'" IS DISTINCT FROM n."it's a 'label'" OR record_image_ne(ROW(o."doc"), ROW(n."doc")) OR record_image_ne(ROW(o."at"), ROW(n."at")) OR o."secret" IS DISTINCT FROM n."secret";
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "Trail of events"."capture_""Odd """"desks"""""""() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."capture_""Odd """"desks"""""""() FROM PUBLIC;

-- harden.Odd "desks".audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."Odd ""desks""" FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_""Odd """"desks"""""""();
ALTER TABLE "public"."Odd ""desks""" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.Odd "desks".audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."Odd ""desks""" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_""Odd """"desks"""""""();
ALTER TABLE "public"."Odd ""desks""" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.Odd "desks".audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."Odd ""desks""" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_""Odd """"desks"""""""();
ALTER TABLE "public"."Odd ""desks""" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.Odd "desks".audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."Odd ""desks""" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_""Odd """"desks"""""""();
ALTER TABLE "public"."Odd ""desks""" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- harden.Trail of events.capture_notes
CREATE OR REPLACE FUNCTION "Trail of events"."capture_notes"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'notes', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, n."tenant_id", 'row.insert', 'notes', NULL, jsonb_build_object('new', jsonb_build_object('body', n."body")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, o."tenant_id", 'row.delete', 'notes', NULL, jsonb_build_object('old', jsonb_build_object('body', o."body")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    IF OLD."tenant_id" IS DISTINCT FROM NEW."tenant_id" THEN
      INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, OLD."tenant_id", 'row.delete', 'notes', NULL, jsonb_build_object('old', jsonb_build_object('body', OLD."body")), '{"captured": true}'::jsonb;
      INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NEW."tenant_id", 'row.insert', 'notes', NULL, jsonb_build_object('new', jsonb_build_object('body', NEW."body")), '{"captured": true}'::jsonb;
    ELSIF OLD."body" IS DISTINCT FROM NEW."body" THEN
      INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NEW."tenant_id", 'row.update', 'notes', NULL, ('{"old": {' || concat_ws(', ', CASE WHEN OLD."body" IS DISTINCT FROM NEW."body" THEN '"body": ' || coalesce(to_json(OLD."body")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN OLD."body" IS DISTINCT FROM NEW."body" THEN '"body": ' || coalesce(to_json(NEW."body")::text, 'null') END) || '}}')::jsonb, '{"captured": true}'::jsonb;
    END IF;
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "Trail of events"."capture_notes"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."capture_notes"() FROM PUBLIC;

-- harden.notes.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."notes" FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.notes.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."notes" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.notes.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."notes" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.notes.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."notes" FOR EACH ROW EXECUTE FUNCTION "Trail of events"."capture_notes"();
ALTER TABLE "public"."notes" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- harden.Trail of events.capture_drawers
CREATE OR REPLACE FUNCTION "Trail of events"."capture_drawers"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'drawers', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.insert', 'drawers', NEW."id"::text, jsonb_build_object('new', jsonb_build_object('id', NEW."id", 'label', NEW."label")), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.delete', 'drawers', OLD."id"::text, jsonb_build_object('old', jsonb_build_object('id', OLD."id", 'label', OLD."label")), '{"captured": true}'::jsonb;
  ELSE
    IF OLD."id" IS DISTINCT FROM NEW."id" THEN
      INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.delete', 'drawers', OLD."id"::text, jsonb_build_object('old', jsonb_build_object('id', OLD."id", 'label', OLD."label")), '{"captured": true}'::jsonb;
      INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.insert', 'drawers', NEW."id"::text, jsonb_build_object('new', jsonb_build_object('id', NEW."id", 'label', NEW."label")), '{"captured": true}'::jsonb;
    ELSIF OLD."id" IS DISTINCT FROM NEW."id" OR OLD."label" IS DISTINCT FROM NEW."label" THEN
      INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.update', 'drawers', NEW."id"::text, ('{"old": {' || concat_ws(', ', CASE WHEN OLD."id" IS DISTINCT FROM NEW."id" THEN '"id": ' || coalesce(to_json(OLD."id")::text, 'null') END, CASE WHEN OLD."label" IS DISTINCT FROM NEW."label" THEN '"label": ' || coalesce(to_json(OLD."label")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN OLD."id" IS DISTINCT FROM NEW."id" THEN '"id": ' || coalesce(to_json(NEW."id")::text, 'null') END, CASE WHEN OLD."label" IS DISTINCT FROM NEW."label" THEN '"label": ' || coalesce(to_json(NEW."label")::text, 'null') END) || '}}')::jsonb, '{"captured": true}'::jsonb;
    END IF;
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "Trail of events"."capture_drawers"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."capture_drawers"() FROM PUBLIC;

-- harden.drawers.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."drawers" FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_drawers"();
ALTER TABLE "public"."drawers" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.drawers.audit_capture_row
CREATE TRIGGER "audit_capture_row" AFTER INSERT OR UPDATE OR DELETE ON "public"."drawers" FOR EACH ROW EXECUTE FUNCTION "Trail of events"."capture_drawers"();
ALTER TABLE "public"."drawers" ENABLE ALWAYS TRIGGER "audit_capture_row";

-- harden.drawers_low.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."drawers_low" FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_drawers"();
ALTER TABLE "public"."drawers_low" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.Trail of events.capture_sizes
CREATE OR REPLACE FUNCTION "Trail of events"."capture_sizes"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'sizes', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.insert', 'sizes', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'label', n."label")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.delete', 'sizes', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'label', o."label")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, NULL::text, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'sizes', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'label', n."label")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'label', o."label")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN o."label" IS DISTINCT FROM n."label" THEN '"label": ' || coalesce(to_json(o."label")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN o."label" IS DISTINCT FROM n."label" THEN '"label": ' || coalesce(to_json(n."label")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR o."label" IS DISTINCT FROM n."label";
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "Trail of events"."capture_sizes"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."capture_sizes"() FROM PUBLIC;

-- harden.sizes.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."sizes" FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.sizes.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."sizes" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.sizes.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."sizes" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.sizes.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."sizes" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- harden.sizes_low.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."sizes_low" FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes_low" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.sizes_low.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."sizes_low" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes_low" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.sizes_low.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."sizes_low" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes_low" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.sizes_low.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."sizes_low" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_sizes"();
ALTER TABLE "public"."sizes_low" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- harden.Trail of events.capture_tenants
CREATE OR REPLACE FUNCTION "Trail of events"."capture_tenants"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'tenants', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, n."id", 'row.insert', 'tenants', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'name', n."name", 'slug', n."slug", 'domain', n."domain", 'logo', n."logo", 'is_active', n."is_active", 'plan', n."plan", 'created_at', n."created_at", 'updated_at', n."updated_at")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, o."id", 'row.delete', 'tenants', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'name', o."name", 'slug', o."slug", 'domain', o."domain", 'logo', o."logo", 'is_active', o."is_active", 'plan', o."plan", 'created_at', o."created_at", 'updated_at', o."updated_at")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."id" ELSE n."id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'tenants', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'name', n."name", 'slug', n."slug", 'domain', n."domain", 'logo', n."logo", 'is_active', n."is_active", 'plan', n."plan", 'created_at', n."created_at", 'updated_at', n."updated_at")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'name', o."name", 'slug', o."slug", 'domain', o."domain", 'logo', o."logo", 'is_active', o."is_active", 'plan', o."plan", 'created_at', o."created_at", 'updated_at', o."updated_at")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(o."name")::text, 'null') END, CASE WHEN o."slug" IS DISTINCT FROM n."slug" THEN '"slug": ' || coalesce(to_json(o."slug")::text, 'null') END, CASE WHEN o."domain" IS DISTINCT FROM n."domain" THEN '"domain": ' || coalesce(to_json(o."domain")::text, 'null') END, CASE WHEN o."logo" IS DISTINCT FROM n."logo" THEN '"logo": ' || coalesce(to_json(o."logo")::text, 'null') END, CASE WHEN o."is_active" IS DISTINCT FROM n."is_active" THEN '"is_active": ' || coalesce(to_json(o."is_active")::text, 'null') END, CASE WHEN o."plan" IS DISTINCT FROM n."plan" THEN '"plan": ' || coalesce(to_json(o."plan")::text, 'null') END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(o."created_at")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(o."updated_at")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(n."name")::text, 'null') END, CASE WHEN o."slug" IS DISTINCT FROM n."slug" THEN '"slug": ' || coalesce(to_json(n."slug")::text, 'null') END, CASE WHEN o."domain" IS DISTINCT FROM n."domain" THEN '"domain": ' || coalesce(to_json(n."domain")::text, 'null') END, CASE WHEN o."logo" IS DISTINCT FROM n."logo" THEN '"logo": ' || coalesce(to_json(n."logo")::text, 'null') END, CASE WHEN o."is_active" IS DISTINCT FROM n."is_active" THEN '"is_active": ' || coalesce(to_json(n."is_active")::text, 'null') END, CASE WHEN o."plan" IS DISTINCT FROM n."plan" THEN '"plan": ' || coalesce(to_json(n."plan")::text, 'null') END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(n."created_at")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(n."updated_at")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR o."name" IS DISTINCT FROM n."name" OR o."slug" IS DISTINCT FROM n."slug" OR o."domain" IS DISTINCT FROM n."domain" OR o."logo" IS DISTINCT FROM n."logo" OR o."is_active" IS DISTINCT FROM n."is_active" OR o."plan" IS DISTINCT FROM n."plan" OR o."created_at" IS DISTINCT FROM n."created_at" OR o."updated_at" IS DISTINCT FROM n."updated_at";
  END IF;
  RETURN NULL;
END
$$;
ALTER FUNCTION "Trail of events"."capture_tenants"() OWNER TO "case_audit_owner";
REVOKE ALL ON FUNCTION "Trail of events"."capture_tenants"() FROM PUBLIC;

-- harden.tenants.audit_capture_truncate
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."tenants" FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_tenants"();
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_truncate";

-- harden.tenants.audit_capture_insert
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."tenants" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_tenants"();
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_insert";

-- harden.tenants.audit_capture_delete
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."tenants" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_tenants"();
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_delete";

-- harden.tenants.audit_capture_update
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."tenants" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "Trail of events"."capture_tenants"();
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_update";

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.Odd "desks".analyze
ANALYZE "public"."Odd ""desks""" ("tenant_id");

-- observe.Odd "desks".isolate
CREATE POLICY "tenant_isolation" ON "public"."Odd ""desks""" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."Odd ""desks""" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('Odd "desks"'))) WITH CHECK ((SELECT tenantry.observe('Odd "desks"')));
ALTER TABLE "public"."Odd ""desks""" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."Odd ""desks""" FORCE ROW LEVEL SECURITY;

-- observe.notes.analyze
ANALYZE "public"."notes" ("tenant_id");

-- observe.notes.isolate
CREATE POLICY "tenant_isolation" ON "public"."notes" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."notes" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('notes'))) WITH CHECK ((SELECT tenantry.observe('notes')));
ALTER TABLE "public"."notes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."notes" FORCE ROW LEVEL SECURITY;

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

-- observe.Odd "desks".grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."Odd ""desks""" TO "case_writer";

-- observe.notes.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."notes" TO "case_writer";

-- observe.sizes.grants
GRANT SELECT ON TABLE "public"."sizes" TO "case_writer";

-- observe.audit_logs.grants
REVOKE INSERT ON TABLE "public"."audit_logs" FROM "case_writer";
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "public"."audit_logs" FROM PUBLIC;
GRANT INSERT ("actor_id", "tenant_id", "action", "resource_type", "resource_id", "ip_address", "metadata", "severity", "request_id", "outcome", "actor_type", "impersonator_id", "targets", "session_id", "user_agent", "context", "version") ON TABLE "public"."audit_logs" TO "case_writer";

-- cutover.Odd "desks".observe
DROP POLICY IF EXISTS "observe" ON "public"."Odd ""desks""";

-- cutover.notes.observe
DROP POLICY IF EXISTS "observe" ON "public"."notes";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";

-- cutover.audit_logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."audit_logs";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.Odd "desks".tenant_id.default
ALTER TABLE "public"."Odd ""desks""" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.notes.tenant_id.default
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.audit_guard
CREATE SCHEMA "Trail of events_guard";
CREATE OR REPLACE FUNCTION "Trail of events_guard"."guard_ddl"() RETURNS event_trigger
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
      UNION SELECT to_regclass('"Trail of events"."personal"')::oid
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
    OR c.schema_name = '"Trail of events"' OR c.schema_name = 'Trail of events'
    OR c.classid = 'pg_namespace'::regclass AND c.objid IN (
      SELECT n.oid FROM pg_namespace AS n WHERE n.nspname IN ('Trail of events', 'public'))
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
CREATE OR REPLACE FUNCTION "Trail of events_guard"."guard_drop"() RETURNS event_trigger
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
    WHERE d.schema_name IN ('Trail of events', 'tenantry_audit') OR d.object_type = 'schema' AND d.object_name IN ('Trail of events', 'tenantry_audit')
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
CREATE OR REPLACE FUNCTION "Trail of events_guard"."guard_rewrite"() RETURNS event_trigger
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
      UNION SELECT to_regclass('"Trail of events"."personal"')::oid
      UNION SELECT i.inhrelid FROM pg_inherits AS i JOIN guarded AS g ON g.oid = i.inhparent
    )
  SELECT g.oid INTO found FROM guarded AS g WHERE g.oid = pg_event_trigger_table_rewrite_oid();
  IF found IS NOT NULL THEN
    RAISE EXCEPTION '% is refused: it changes % of the audit trail', TG_TAG, found::regclass
      USING ERRCODE = '42501', HINT = 'A plan of tenantry changes it; a superuser switches the event triggers audit_guard_… off first.';
  END IF;
END
$$;
CREATE EVENT TRIGGER "audit_guard_ddl" ON ddl_command_end EXECUTE FUNCTION "Trail of events_guard"."guard_ddl"();
CREATE EVENT TRIGGER "audit_guard_drop" ON sql_drop EXECUTE FUNCTION "Trail of events_guard"."guard_drop"();
CREATE EVENT TRIGGER "audit_guard_rewrite" ON table_rewrite EXECUTE FUNCTION "Trail of events_guard"."guard_rewrite"();
ALTER EVENT TRIGGER "audit_guard_ddl" ENABLE ALWAYS;
ALTER EVENT TRIGGER "audit_guard_drop" ENABLE ALWAYS;
ALTER EVENT TRIGGER "audit_guard_rewrite" ENABLE ALWAYS;
