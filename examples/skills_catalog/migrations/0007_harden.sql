-- What is still open: references across tenants, defaults, roles and grants.
-- Made by `tenantry render` from tenantry.toml; never edited by hand.

-- The owner of a table under FORCE ROW LEVEL SECURITY gets an error instead of no rows.
SET row_security = off;
--> statement-breakpoint
-- Ids of site_settings are unique within a tenant from now on.
-- Step harden.site_settings.site_settings_pkey_tenant.build; lock SHARE.
CREATE UNIQUE INDEX "site_settings_pkey_tenant" ON "public"."site_settings" USING btree ("tenant_id", "id");
--> statement-breakpoint
-- A reference to users names the tenant too, and needs a key that does.
-- Step harden.users.users_tenant_id_unique; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_unique" UNIQUE ("tenant_id", "id");
--> statement-breakpoint
-- A reference to skills names the tenant too, and needs a key that does.
-- Step harden.skills.skills_tenant_id_unique; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_id_unique" UNIQUE ("tenant_id", "id");
--> statement-breakpoint
-- A row of api_keys can only refer to a row of its own tenant in users.
-- Step harden.api_keys.api_keys_tenant_user_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."api_keys" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."api_keys" ADD CONSTRAINT "api_keys_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "public"."users" ("tenant_id", "id") ON DELETE CASCADE;
--> statement-breakpoint
ALTER TABLE "public"."api_keys" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of ratings can only refer to a row of its own tenant in skills.
-- Step harden.ratings.ratings_tenant_skill_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."ratings" ADD CONSTRAINT "ratings_tenant_skill_fk" FOREIGN KEY ("tenant_id", "skill_id") REFERENCES "public"."skills" ("tenant_id", "id") ON DELETE CASCADE;
--> statement-breakpoint
ALTER TABLE "public"."ratings" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of ratings can only refer to a row of its own tenant in users.
-- Step harden.ratings.ratings_tenant_user_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."ratings" ADD CONSTRAINT "ratings_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "public"."users" ("tenant_id", "id") ON DELETE CASCADE;
--> statement-breakpoint
ALTER TABLE "public"."ratings" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of skill_embeddings can only refer to a row of its own tenant in skills.
-- Step harden.skill_embeddings.skill_embeddings_tenant_skill_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_embeddings" ADD CONSTRAINT "skill_embeddings_tenant_skill_fk" FOREIGN KEY ("tenant_id", "skill_id") REFERENCES "public"."skills" ("tenant_id", "id") ON DELETE CASCADE;
--> statement-breakpoint
ALTER TABLE "public"."skill_embeddings" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of skill_reviews can only refer to a row of its own tenant in users.
-- Step harden.skill_reviews.skill_reviews_tenant_requested_by_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ADD CONSTRAINT "skill_reviews_tenant_requested_by_fk" FOREIGN KEY ("tenant_id", "requested_by") REFERENCES "public"."users" ("tenant_id", "id");
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of skill_reviews can only refer to a row of its own tenant in skills.
-- Step harden.skill_reviews.skill_reviews_tenant_skill_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ADD CONSTRAINT "skill_reviews_tenant_skill_fk" FOREIGN KEY ("tenant_id", "skill_id") REFERENCES "public"."skills" ("tenant_id", "id") ON DELETE CASCADE;
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of skill_versions can only refer to a row of its own tenant in users.
-- Step harden.skill_versions.skill_versions_tenant_created_by_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_versions" ADD CONSTRAINT "skill_versions_tenant_created_by_fk" FOREIGN KEY ("tenant_id", "created_by") REFERENCES "public"."users" ("tenant_id", "id") ON DELETE SET NULL ("created_by");
--> statement-breakpoint
ALTER TABLE "public"."skill_versions" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of skill_versions can only refer to a row of its own tenant in skills.
-- Step harden.skill_versions.skill_versions_tenant_skill_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_versions" ADD CONSTRAINT "skill_versions_tenant_skill_fk" FOREIGN KEY ("tenant_id", "skill_id") REFERENCES "public"."skills" ("tenant_id", "id") ON DELETE CASCADE;
--> statement-breakpoint
ALTER TABLE "public"."skill_versions" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of skills can only refer to a row of its own tenant in users.
-- Step harden.skills.skills_tenant_author_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_author_fk" FOREIGN KEY ("tenant_id", "author_id") REFERENCES "public"."users" ("tenant_id", "id") ON DELETE SET NULL ("author_id");
--> statement-breakpoint
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- A row of usage_events can only refer to a row of its own tenant in users.
-- Step harden.usage_events.usage_events_tenant_user_fk; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."usage_events" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" NO FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."usage_events" ADD CONSTRAINT "usage_events_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "public"."users" ("tenant_id", "id") ON DELETE SET NULL ("user_id");
--> statement-breakpoint
ALTER TABLE "public"."usage_events" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- api_keys_tenant_user_fk says more than api_keys_user_id_users_id_fk, which would still reach across tenants.
-- Step harden.api_keys.api_keys_user_id_users_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."api_keys" DROP CONSTRAINT "api_keys_user_id_users_id_fk";
--> statement-breakpoint
-- ratings_tenant_skill_fk says more than ratings_skill_id_skills_id_fk, which would still reach across tenants.
-- Step harden.ratings.ratings_skill_id_skills_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" DROP CONSTRAINT "ratings_skill_id_skills_id_fk";
--> statement-breakpoint
-- ratings_tenant_user_fk says more than ratings_user_id_users_id_fk, which would still reach across tenants.
-- Step harden.ratings.ratings_user_id_users_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" DROP CONSTRAINT "ratings_user_id_users_id_fk";
--> statement-breakpoint
-- skill_embeddings_tenant_skill_fk says more than skill_embeddings_skill_id_skills_id_fk, which would still reach across tenants.
-- Step harden.skill_embeddings.skill_embeddings_skill_id_skills_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" DROP CONSTRAINT "skill_embeddings_skill_id_skills_id_fk";
--> statement-breakpoint
-- skill_reviews_tenant_requested_by_fk says more than skill_reviews_requested_by_users_id_fk, which would still reach across tenants.
-- Step harden.skill_reviews.skill_reviews_requested_by_users_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" DROP CONSTRAINT "skill_reviews_requested_by_users_id_fk";
--> statement-breakpoint
-- skill_reviews_tenant_skill_fk says more than skill_reviews_skill_id_skills_id_fk, which would still reach across tenants.
-- Step harden.skill_reviews.skill_reviews_skill_id_skills_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" DROP CONSTRAINT "skill_reviews_skill_id_skills_id_fk";
--> statement-breakpoint
-- skill_versions_tenant_created_by_fk says more than skill_versions_created_by_users_id_fk, which would still reach across tenants.
-- Step harden.skill_versions.skill_versions_created_by_users_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" DROP CONSTRAINT "skill_versions_created_by_users_id_fk";
--> statement-breakpoint
-- skill_versions_tenant_skill_fk says more than skill_versions_skill_id_skills_id_fk, which would still reach across tenants.
-- Step harden.skill_versions.skill_versions_skill_id_skills_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" DROP CONSTRAINT "skill_versions_skill_id_skills_id_fk";
--> statement-breakpoint
-- skills_tenant_author_fk says more than skills_author_id_users_id_fk, which would still reach across tenants.
-- Step harden.skills.skills_author_id_users_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_author_id_users_id_fk";
--> statement-breakpoint
-- usage_events_tenant_user_fk says more than usage_events_user_id_users_id_fk, which would still reach across tenants.
-- Step harden.usage_events.usage_events_user_id_users_id_fk.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."usage_events" DROP CONSTRAINT "usage_events_user_id_users_id_fk";
--> statement-breakpoint
-- The primary key of site_settings starts with the tenant: two customers may use the same key.
-- Step harden.site_settings.site_settings_pkey; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."site_settings" DROP CONSTRAINT "site_settings_pkey";
--> statement-breakpoint
ALTER TABLE "public"."site_settings" ADD CONSTRAINT "site_settings_pkey" PRIMARY KEY USING INDEX "site_settings_pkey_tenant";
--> statement-breakpoint
-- The application connects as this role, which owns nothing and is bound by every policy.
-- Step harden.role.app_user; no table lock.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
--> statement-breakpoint
-- Owns the tables and cannot log in: an owner can switch row level security off.
-- Step harden.role.skills_owner; no table lock.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'skills_owner') THEN
    CREATE ROLE "skills_owner" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
--> statement-breakpoint
-- Owns the trail and its functions, and nobody is it.
-- Step harden.role.skills_audit; no table lock.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'skills_audit') THEN
    CREATE ROLE "skills_audit" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
--> statement-breakpoint
-- Whoever is a member reads the events of every tenant.
-- Step harden.role.skills_auditor; no table lock.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'skills_auditor') THEN
    CREATE ROLE "skills_auditor" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in accounts, whatever the query says.
-- Step harden.accounts.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."accounts" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."accounts"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."accounts"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
--> statement-breakpoint
ALTER TABLE "public"."accounts" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."accounts" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in sessions, whatever the query says.
-- Step harden.sessions.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."sessions" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
--> statement-breakpoint
ALTER TABLE "public"."sessions" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."sessions" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in verification_tokens, whatever the query says.
-- Step harden.verification_tokens.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."verification_tokens" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."email" = "public"."verification_tokens"."identifier" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."email" = "public"."verification_tokens"."identifier" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
--> statement-breakpoint
ALTER TABLE "public"."verification_tokens" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."verification_tokens" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in tenants, whatever the query says.
-- Step harden.tenants.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in audit_logs, whatever the query says.
-- Step harden.audit_logs.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."audit_logs" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."audit_logs" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The attempt itself is refused, also where it matches no row.
-- Step harden.audit_logs.no_audit_statement; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "no_audit_statement" BEFORE UPDATE OR DELETE ON "public"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "public"."prevent_audit_modification"();
--> statement-breakpoint
-- TRUNCATE fires no row trigger and would empty the trail.
-- Step harden.audit_logs.no_audit_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "no_audit_truncate" BEFORE TRUNCATE ON "public"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "public"."prevent_audit_modification"();
--> statement-breakpoint
-- session_replication_role = replica switches ordinary triggers off; this one stays on.
-- Step harden.audit_logs.no_audit_update.always; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_update";
--> statement-breakpoint
-- session_replication_role = replica switches ordinary triggers off; this one stays on.
-- Step harden.audit_logs.no_audit_statement.always; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_statement";
--> statement-breakpoint
-- session_replication_role = replica switches ordinary triggers off; this one stays on.
-- Step harden.audit_logs.no_audit_truncate.always; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_truncate";
--> statement-breakpoint
-- An unset scope reads as an empty string, so no event may have the empty tenant; NULL stands for none.
-- Step harden.audit_logs.tenant_id.check; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."audit_logs" ADD CONSTRAINT "audit_logs_tenant_id_not_empty" CHECK ("tenant_id" <> '') NOT VALID;
--> statement-breakpoint
-- Reads every row, blocks nobody.
-- Step harden.audit_logs.tenant_id.validate; lock SHARE UPDATE EXCLUSIVE.
ALTER TABLE "public"."audit_logs" VALIDATE CONSTRAINT "audit_logs_tenant_id_not_empty";
--> statement-breakpoint
-- What writes and reads events is in a schema that skills_audit owns.
-- Step harden.schema.audit; no table lock.
CREATE SCHEMA "audit" AUTHORIZATION "skills_audit";
--> statement-breakpoint
-- app_user reaches what it may use there.
-- Step harden.schema.audit.app_user; no table lock.
GRANT USAGE ON SCHEMA "audit" TO "app_user";
--> statement-breakpoint
-- skills_auditor reaches what it may use there.
-- Step harden.schema.audit.skills_auditor; no table lock.
GRANT USAGE ON SCHEMA "audit" TO "skills_auditor";
--> statement-breakpoint
-- Beside the nine columns: how it ended, in which order and transaction, for whom, in which request.
-- Step harden.audit_logs.events; lock ACCESS EXCLUSIVE.
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
  ADD COLUMN "database_user" text NOT NULL DEFAULT session_user;
--> statement-breakpoint
-- Events are sealed transaction by transaction, and found by it.
-- Step harden.audit_logs_xid_seq_idx; lock SHARE.
CREATE INDEX "audit_logs_xid_seq_idx" ON "public"."audit_logs" USING btree ("xid", "seq");
--> statement-breakpoint
-- Who owns a table may switch its guards off, so skills_audit owns the trail, and nobody is skills_audit.
-- Step harden.audit_logs.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."audit_logs" OWNER TO "skills_audit";
--> statement-breakpoint
ALTER FUNCTION "public"."prevent_audit_modification"() OWNER TO "skills_audit";
--> statement-breakpoint
-- Functions of the trail write events of any tenant, and of none.
-- Step harden.audit_logs.audit_write; lock ACCESS EXCLUSIVE.
CREATE POLICY "audit_write" ON "public"."audit_logs" AS PERMISSIVE FOR INSERT TO "skills_audit" WITH CHECK (true);
--> statement-breakpoint
-- Auditors read the events of every tenant; everybody else those of his own.
-- Step harden.audit_logs.audit_read; lock ACCESS EXCLUSIVE.
CREATE POLICY "audit_read" ON "public"."audit_logs" AS PERMISSIVE FOR SELECT TO "skills_audit", "skills_auditor" USING (true);
--> statement-breakpoint
-- skills_auditor reads the trail and changes nothing.
-- Step harden.audit_logs.skills_auditor; no table lock.
GRANT SELECT ON TABLE "public"."audit_logs" TO "skills_auditor";
--> statement-breakpoint
-- Personal data of events, to be erased when somebody asks; the events themselves never change.
-- Step harden.audit.personal; no table lock.
CREATE TABLE "audit"."personal" (
  event text PRIMARY KEY,
  tenant_id text,
  subject text NOT NULL,
  salt bytea NOT NULL,
  body jsonb NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX "personal_subject_idx" ON "audit"."personal" USING btree (subject);
--> statement-breakpoint
CREATE POLICY "audit_own" ON "audit"."personal" AS PERMISSIVE FOR ALL TO "skills_audit" USING (true) WITH CHECK (true);
--> statement-breakpoint
CREATE POLICY "audit_read" ON "audit"."personal" AS PERMISSIVE FOR SELECT TO "skills_auditor" USING (true);
--> statement-breakpoint
ALTER TABLE "audit"."personal" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "audit"."personal" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "audit"."personal" OWNER TO "skills_audit";
--> statement-breakpoint
GRANT SELECT ON TABLE "audit"."personal" TO "skills_auditor";
--> statement-breakpoint
-- Writes one event; who, for whom and when are not the caller's to say.
-- Step harden.audit.log; no table lock.
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
  IF action ~ E'^(audit|row)\\.' AND NOT pg_has_role(session_user, 'skills_audit', 'MEMBER') THEN
    RAISE EXCEPTION 'event %: actions that begin so are kept for the trail itself', action USING ERRCODE = '22023', HINT = 'Begin the action with another word.';
  END IF;
  IF action <> ALL (ARRAY['auth.link', 'auth.login', 'auth.logout', 'key.create', 'key.revoke', 'member.invite', 'member.list', 'member.remove', 'request.refuse', 'settings.read', 'settings.update', 'skill.create', 'skill.publish', 'skill.rate', 'skill.read', 'skill.review', 'skill.use', 'trail.read']) AND action !~ E'^(audit|row)\\.' THEN
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
  VALUES (nullif(current_setting('app.current_tenant_id', true), ''), nullif(current_setting('app.actor_id', true), ''), nullif(current_setting('app.ip_address', true), ''), action, resource_type, resource_id, outcome, metadata, targets, actor_type, impersonator_id, context) RETURNING id INTO event;
  IF personal IS NOT NULL THEN
    INSERT INTO "audit"."personal" ("event", "tenant_id", "subject", "salt", "body") VALUES (event::text, nullif(current_setting('app.current_tenant_id', true), ''), subject, salt, personal);
  END IF;
  RETURN event;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION "audit"."log"(text, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text) TO "app_user";
--> statement-breakpoint
-- Reads events and records that they were read, by whom and which.
-- Step harden.audit.read; no table lock.
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
--> statement-breakpoint
ALTER FUNCTION "audit"."read"(text, timestamp with time zone, timestamp with time zone, integer) OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."read"(text, timestamp with time zone, timestamp with time zone, integer) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION "audit"."read"(text, timestamp with time zone, timestamp with time zone, integer) TO "skills_auditor";
--> statement-breakpoint
-- Erases the personal data of one person; the events stay, with a digest of what is gone.
-- Step harden.audit.erase; no table lock.
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
--> statement-breakpoint
ALTER FUNCTION "audit"."erase"(text, text) OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."erase"(text, text) FROM PUBLIC;
--> statement-breakpoint
-- Rows behind users have its tenant, as far as the transaction may see it.
-- Step harden.users.capture.columns; no table lock.
GRANT SELECT ("id", "tenant_id") ON TABLE "public"."users" TO "skills_audit";
--> statement-breakpoint
-- Records what changes in tenants: the difference, not both rows.
-- Step harden.audit.capture_tenants; no table lock.
CREATE OR REPLACE FUNCTION "audit"."capture_tenants"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'tenants', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, n."id", 'row.insert', 'tenants', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'name', n."name", 'slug', n."slug", 'domain', n."domain", 'logo', n."logo", 'is_active', n."is_active", 'plan', n."plan", 'created_at', n."created_at", 'updated_at', n."updated_at")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, o."id", 'row.delete', 'tenants', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'name', o."name", 'slug', o."slug", 'domain', o."domain", 'logo', o."logo", 'is_active', o."is_active", 'plan', o."plan", 'created_at', o."created_at", 'updated_at', o."updated_at")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."id" ELSE n."id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'tenants', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'name', n."name", 'slug', n."slug", 'domain', n."domain", 'logo', n."logo", 'is_active', n."is_active", 'plan', n."plan", 'created_at', n."created_at", 'updated_at', n."updated_at")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'name', o."name", 'slug', o."slug", 'domain', o."domain", 'logo', o."logo", 'is_active', o."is_active", 'plan', o."plan", 'created_at', o."created_at", 'updated_at', o."updated_at")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(o."name")::text, 'null') END, CASE WHEN o."slug" IS DISTINCT FROM n."slug" THEN '"slug": ' || coalesce(to_json(o."slug")::text, 'null') END, CASE WHEN o."domain" IS DISTINCT FROM n."domain" THEN '"domain": ' || coalesce(to_json(o."domain")::text, 'null') END, CASE WHEN o."logo" IS DISTINCT FROM n."logo" THEN '"logo": ' || coalesce(to_json(o."logo")::text, 'null') END, CASE WHEN o."is_active" IS DISTINCT FROM n."is_active" THEN '"is_active": ' || coalesce(to_json(o."is_active")::text, 'null') END, CASE WHEN o."plan" IS DISTINCT FROM n."plan" THEN '"plan": ' || coalesce(to_json(o."plan")::text, 'null') END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(o."created_at")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(o."updated_at")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(n."name")::text, 'null') END, CASE WHEN o."slug" IS DISTINCT FROM n."slug" THEN '"slug": ' || coalesce(to_json(n."slug")::text, 'null') END, CASE WHEN o."domain" IS DISTINCT FROM n."domain" THEN '"domain": ' || coalesce(to_json(n."domain")::text, 'null') END, CASE WHEN o."logo" IS DISTINCT FROM n."logo" THEN '"logo": ' || coalesce(to_json(n."logo")::text, 'null') END, CASE WHEN o."is_active" IS DISTINCT FROM n."is_active" THEN '"is_active": ' || coalesce(to_json(n."is_active")::text, 'null') END, CASE WHEN o."plan" IS DISTINCT FROM n."plan" THEN '"plan": ' || coalesce(to_json(n."plan")::text, 'null') END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(n."created_at")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(n."updated_at")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR o."name" IS DISTINCT FROM n."name" OR o."slug" IS DISTINCT FROM n."slug" OR o."domain" IS DISTINCT FROM n."domain" OR o."logo" IS DISTINCT FROM n."logo" OR o."is_active" IS DISTINCT FROM n."is_active" OR o."plan" IS DISTINCT FROM n."plan" OR o."created_at" IS DISTINCT FROM n."created_at" OR o."updated_at" IS DISTINCT FROM n."updated_at";
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."capture_tenants"() OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."capture_tenants"() FROM PUBLIC;
--> statement-breakpoint
-- What truncate does to tenants becomes an event, also in replication mode.
-- Step harden.tenants.audit_capture_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."tenants" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_tenants"();
--> statement-breakpoint
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_truncate";
--> statement-breakpoint
-- What insert does to tenants becomes an event, also in replication mode.
-- Step harden.tenants.audit_capture_insert; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."tenants" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_tenants"();
--> statement-breakpoint
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_insert";
--> statement-breakpoint
-- What delete does to tenants becomes an event, also in replication mode.
-- Step harden.tenants.audit_capture_delete; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."tenants" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_tenants"();
--> statement-breakpoint
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_delete";
--> statement-breakpoint
-- What update does to tenants becomes an event, also in replication mode.
-- Step harden.tenants.audit_capture_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."tenants" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_tenants"();
--> statement-breakpoint
ALTER TABLE "public"."tenants" ENABLE ALWAYS TRIGGER "audit_capture_update";
--> statement-breakpoint
-- Records what changes in users: the difference, not both rows.
-- Step harden.audit.capture_users; no table lock.
CREATE OR REPLACE FUNCTION "audit"."capture_users"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'users', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, n."tenant_id", 'row.insert', 'users', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'email', '[redacted]'::text, 'name', '[redacted]'::text, 'email_verified', n."email_verified", 'image', '[redacted]'::text, 'created_at', n."created_at", 'updated_at', n."updated_at")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, o."tenant_id", 'row.delete', 'users', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'email', '[redacted]'::text, 'name', '[redacted]'::text, 'email_verified', o."email_verified", 'image', '[redacted]'::text, 'created_at', o."created_at", 'updated_at', o."updated_at")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."tenant_id" ELSE n."tenant_id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'users', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'email', '[redacted]'::text, 'name', '[redacted]'::text, 'email_verified', n."email_verified", 'image', '[redacted]'::text, 'created_at', n."created_at", 'updated_at', n."updated_at")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'email', '[redacted]'::text, 'name', '[redacted]'::text, 'email_verified', o."email_verified", 'image', '[redacted]'::text, 'created_at', o."created_at", 'updated_at', o."updated_at")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN o."email" IS DISTINCT FROM n."email" THEN '"email": "[redacted]"' END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": "[redacted]"' END, CASE WHEN o."email_verified" IS DISTINCT FROM n."email_verified" THEN '"email_verified": ' || coalesce(to_json(o."email_verified")::text, 'null') END, CASE WHEN o."image" IS DISTINCT FROM n."image" THEN '"image": "[redacted]"' END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(o."created_at")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(o."updated_at")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN o."email" IS DISTINCT FROM n."email" THEN '"email": "[redacted]"' END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": "[redacted]"' END, CASE WHEN o."email_verified" IS DISTINCT FROM n."email_verified" THEN '"email_verified": ' || coalesce(to_json(n."email_verified")::text, 'null') END, CASE WHEN o."image" IS DISTINCT FROM n."image" THEN '"image": "[redacted]"' END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(n."created_at")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(n."updated_at")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id" AND o."tenant_id" = n."tenant_id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR o."email" IS DISTINCT FROM n."email" OR o."name" IS DISTINCT FROM n."name" OR o."email_verified" IS DISTINCT FROM n."email_verified" OR o."image" IS DISTINCT FROM n."image" OR o."created_at" IS DISTINCT FROM n."created_at" OR o."updated_at" IS DISTINCT FROM n."updated_at";
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."capture_users"() OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."capture_users"() FROM PUBLIC;
--> statement-breakpoint
-- What truncate does to users becomes an event, also in replication mode.
-- Step harden.users.audit_capture_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."users" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_users"();
--> statement-breakpoint
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "audit_capture_truncate";
--> statement-breakpoint
-- What insert does to users becomes an event, also in replication mode.
-- Step harden.users.audit_capture_insert; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."users" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_users"();
--> statement-breakpoint
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "audit_capture_insert";
--> statement-breakpoint
-- What delete does to users becomes an event, also in replication mode.
-- Step harden.users.audit_capture_delete; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."users" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_users"();
--> statement-breakpoint
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "audit_capture_delete";
--> statement-breakpoint
-- What update does to users becomes an event, also in replication mode.
-- Step harden.users.audit_capture_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."users" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_users"();
--> statement-breakpoint
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "audit_capture_update";
--> statement-breakpoint
-- Records what changes in accounts: the difference, not both rows.
-- Step harden.audit.capture_accounts; no table lock.
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
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.insert', 'accounts', jsonb_build_array(n."provider", n."provider_account_id")::text, jsonb_build_object('new', jsonb_build_object('user_id', n."user_id", 'type', n."type", 'provider', n."provider", 'scope', n."scope")), CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_new AS n CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "public"."users" AS p WHERE p."id" = n."user_id") END OFFSET 0) AS w (tenant);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.delete', 'accounts', jsonb_build_array(o."provider", o."provider_account_id")::text, jsonb_build_object('old', jsonb_build_object('user_id', o."user_id", 'type', o."type", 'provider', o."provider", 'scope', o."scope")), CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_old AS o CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "public"."users" AS p WHERE p."id" = o."user_id") END OFFSET 0) AS w (tenant);
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, w.tenant, 'row.' || CASE WHEN o."provider" IS NULL THEN 'insert' WHEN n."provider" IS NULL THEN 'delete' ELSE 'update' END, 'accounts', CASE WHEN n."provider" IS NULL THEN jsonb_build_array(o."provider", o."provider_account_id")::text ELSE jsonb_build_array(n."provider", n."provider_account_id")::text END, CASE WHEN o."provider" IS NULL THEN jsonb_build_object('new', jsonb_build_object('user_id', n."user_id", 'type', n."type", 'provider', n."provider", 'scope', n."scope")) WHEN n."provider" IS NULL THEN jsonb_build_object('old', jsonb_build_object('user_id', o."user_id", 'type', o."type", 'provider', o."provider", 'scope', o."scope")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(o."user_id")::text, 'null') END, CASE WHEN o."type" IS DISTINCT FROM n."type" THEN '"type": ' || coalesce(to_json(o."type")::text, 'null') END, CASE WHEN o."provider" IS DISTINCT FROM n."provider" THEN '"provider": ' || coalesce(to_json(o."provider")::text, 'null') END, CASE WHEN o."scope" IS DISTINCT FROM n."scope" THEN '"scope": ' || coalesce(to_json(o."scope")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(n."user_id")::text, 'null') END, CASE WHEN o."type" IS DISTINCT FROM n."type" THEN '"type": ' || coalesce(to_json(n."type")::text, 'null') END, CASE WHEN o."provider" IS DISTINCT FROM n."provider" THEN '"provider": ' || coalesce(to_json(n."provider")::text, 'null') END, CASE WHEN o."scope" IS DISTINCT FROM n."scope" THEN '"scope": ' || coalesce(to_json(n."scope")::text, 'null') END) || '}}')::jsonb END, CASE WHEN w.tenant IS NULL THEN '{"captured": true, "tenant": "unknown"}'::jsonb ELSE '{"captured": true}'::jsonb END
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."provider" = n."provider" AND o."provider_account_id" = n."provider_account_id" AND o."user_id" = n."user_id" CROSS JOIN LATERAL (SELECT CASE WHEN nullif(current_setting('app.current_tenant_id', true), '') IS NOT NULL THEN (SELECT p."tenant_id" FROM ONLY "public"."users" AS p WHERE p."id" = CASE WHEN n."provider" IS NULL THEN o."user_id" ELSE n."user_id" END) END OFFSET 0) AS w (tenant)
    WHERE o."provider" IS NULL OR n."provider" IS NULL OR o."user_id" IS DISTINCT FROM n."user_id" OR o."type" IS DISTINCT FROM n."type" OR o."provider" IS DISTINCT FROM n."provider" OR o."scope" IS DISTINCT FROM n."scope";
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."capture_accounts"() OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."capture_accounts"() FROM PUBLIC;
--> statement-breakpoint
-- What truncate does to accounts becomes an event, also in replication mode.
-- Step harden.accounts.audit_capture_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."accounts" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
--> statement-breakpoint
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_truncate";
--> statement-breakpoint
-- What insert does to accounts becomes an event, also in replication mode.
-- Step harden.accounts.audit_capture_insert; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."accounts" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
--> statement-breakpoint
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_insert";
--> statement-breakpoint
-- What delete does to accounts becomes an event, also in replication mode.
-- Step harden.accounts.audit_capture_delete; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."accounts" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
--> statement-breakpoint
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_delete";
--> statement-breakpoint
-- What update does to accounts becomes an event, also in replication mode.
-- Step harden.accounts.audit_capture_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."accounts" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_accounts"();
--> statement-breakpoint
ALTER TABLE "public"."accounts" ENABLE ALWAYS TRIGGER "audit_capture_update";
--> statement-breakpoint
-- Records what changes in api_keys: the difference, not both rows.
-- Step harden.audit.capture_api_keys; no table lock.
CREATE OR REPLACE FUNCTION "audit"."capture_api_keys"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'api_keys', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, n."tenant_id", 'row.insert', 'api_keys', n."id"::text, jsonb_build_object('new', jsonb_build_object('user_id', n."user_id", 'key_prefix', n."key_prefix", 'name', n."name", 'created_at', n."created_at", 'revoked_at', n."revoked_at", 'expires_at', n."expires_at")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, o."tenant_id", 'row.delete', 'api_keys', o."id"::text, jsonb_build_object('old', jsonb_build_object('user_id', o."user_id", 'key_prefix', o."key_prefix", 'name', o."name", 'created_at', o."created_at", 'revoked_at', o."revoked_at", 'expires_at', o."expires_at")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."tenant_id" ELSE n."tenant_id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'api_keys', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('user_id', n."user_id", 'key_prefix', n."key_prefix", 'name', n."name", 'created_at', n."created_at", 'revoked_at', n."revoked_at", 'expires_at', n."expires_at")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('user_id', o."user_id", 'key_prefix', o."key_prefix", 'name', o."name", 'created_at', o."created_at", 'revoked_at', o."revoked_at", 'expires_at', o."expires_at")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(o."user_id")::text, 'null') END, CASE WHEN o."key_prefix" IS DISTINCT FROM n."key_prefix" THEN '"key_prefix": ' || coalesce(to_json(o."key_prefix")::text, 'null') END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(o."name")::text, 'null') END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(o."created_at")::text, 'null') END, CASE WHEN o."revoked_at" IS DISTINCT FROM n."revoked_at" THEN '"revoked_at": ' || coalesce(to_json(o."revoked_at")::text, 'null') END, CASE WHEN o."expires_at" IS DISTINCT FROM n."expires_at" THEN '"expires_at": ' || coalesce(to_json(o."expires_at")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN '"user_id": ' || coalesce(to_json(n."user_id")::text, 'null') END, CASE WHEN o."key_prefix" IS DISTINCT FROM n."key_prefix" THEN '"key_prefix": ' || coalesce(to_json(n."key_prefix")::text, 'null') END, CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(n."name")::text, 'null') END, CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN '"created_at": ' || coalesce(to_json(n."created_at")::text, 'null') END, CASE WHEN o."revoked_at" IS DISTINCT FROM n."revoked_at" THEN '"revoked_at": ' || coalesce(to_json(n."revoked_at")::text, 'null') END, CASE WHEN o."expires_at" IS DISTINCT FROM n."expires_at" THEN '"expires_at": ' || coalesce(to_json(n."expires_at")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id" AND o."tenant_id" = n."tenant_id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."user_id" IS DISTINCT FROM n."user_id" OR o."key_prefix" IS DISTINCT FROM n."key_prefix" OR o."name" IS DISTINCT FROM n."name" OR o."created_at" IS DISTINCT FROM n."created_at" OR o."revoked_at" IS DISTINCT FROM n."revoked_at" OR o."expires_at" IS DISTINCT FROM n."expires_at";
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."capture_api_keys"() OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."capture_api_keys"() FROM PUBLIC;
--> statement-breakpoint
-- What truncate does to api_keys becomes an event, also in replication mode.
-- Step harden.api_keys.audit_capture_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."api_keys" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_api_keys"();
--> statement-breakpoint
ALTER TABLE "public"."api_keys" ENABLE ALWAYS TRIGGER "audit_capture_truncate";
--> statement-breakpoint
-- What insert does to api_keys becomes an event, also in replication mode.
-- Step harden.api_keys.audit_capture_insert; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."api_keys" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_api_keys"();
--> statement-breakpoint
ALTER TABLE "public"."api_keys" ENABLE ALWAYS TRIGGER "audit_capture_insert";
--> statement-breakpoint
-- What delete does to api_keys becomes an event, also in replication mode.
-- Step harden.api_keys.audit_capture_delete; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."api_keys" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_api_keys"();
--> statement-breakpoint
ALTER TABLE "public"."api_keys" ENABLE ALWAYS TRIGGER "audit_capture_delete";
--> statement-breakpoint
-- What update does to api_keys becomes an event, also in replication mode.
-- Step harden.api_keys.audit_capture_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."api_keys" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_api_keys"();
--> statement-breakpoint
ALTER TABLE "public"."api_keys" ENABLE ALWAYS TRIGGER "audit_capture_update";
--> statement-breakpoint
-- Records what changes in skills: the difference, not both rows.
-- Step harden.audit.capture_skills; no table lock.
CREATE OR REPLACE FUNCTION "audit"."capture_skills"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'skills', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, n."tenant_id", 'row.insert', 'skills', n."id"::text, jsonb_build_object('new', jsonb_build_object('name', n."name", 'slug', n."slug", 'category', n."category", 'published_version_id', n."published_version_id", 'author_id', n."author_id")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, o."tenant_id", 'row.delete', 'skills', o."id"::text, jsonb_build_object('old', jsonb_build_object('name', o."name", 'slug', o."slug", 'category', o."category", 'published_version_id', o."published_version_id", 'author_id', o."author_id")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."tenant_id" ELSE n."tenant_id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'skills', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('name', n."name", 'slug', n."slug", 'category', n."category", 'published_version_id', n."published_version_id", 'author_id', n."author_id")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('name', o."name", 'slug', o."slug", 'category', o."category", 'published_version_id', o."published_version_id", 'author_id', o."author_id")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(o."name")::text, 'null') END, CASE WHEN o."slug" IS DISTINCT FROM n."slug" THEN '"slug": ' || coalesce(to_json(o."slug")::text, 'null') END, CASE WHEN o."category" IS DISTINCT FROM n."category" THEN '"category": ' || coalesce(to_json(o."category")::text, 'null') END, CASE WHEN o."published_version_id" IS DISTINCT FROM n."published_version_id" THEN '"published_version_id": ' || coalesce(to_json(o."published_version_id")::text, 'null') END, CASE WHEN o."author_id" IS DISTINCT FROM n."author_id" THEN '"author_id": ' || coalesce(to_json(o."author_id")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."name" IS DISTINCT FROM n."name" THEN '"name": ' || coalesce(to_json(n."name")::text, 'null') END, CASE WHEN o."slug" IS DISTINCT FROM n."slug" THEN '"slug": ' || coalesce(to_json(n."slug")::text, 'null') END, CASE WHEN o."category" IS DISTINCT FROM n."category" THEN '"category": ' || coalesce(to_json(n."category")::text, 'null') END, CASE WHEN o."published_version_id" IS DISTINCT FROM n."published_version_id" THEN '"published_version_id": ' || coalesce(to_json(n."published_version_id")::text, 'null') END, CASE WHEN o."author_id" IS DISTINCT FROM n."author_id" THEN '"author_id": ' || coalesce(to_json(n."author_id")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id" AND o."tenant_id" = n."tenant_id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."name" IS DISTINCT FROM n."name" OR o."slug" IS DISTINCT FROM n."slug" OR o."category" IS DISTINCT FROM n."category" OR o."published_version_id" IS DISTINCT FROM n."published_version_id" OR o."author_id" IS DISTINCT FROM n."author_id";
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."capture_skills"() OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."capture_skills"() FROM PUBLIC;
--> statement-breakpoint
-- What truncate does to skills becomes an event, also in replication mode.
-- Step harden.skills.audit_capture_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."skills" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skills"();
--> statement-breakpoint
ALTER TABLE "public"."skills" ENABLE ALWAYS TRIGGER "audit_capture_truncate";
--> statement-breakpoint
-- What insert does to skills becomes an event, also in replication mode.
-- Step harden.skills.audit_capture_insert; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."skills" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skills"();
--> statement-breakpoint
ALTER TABLE "public"."skills" ENABLE ALWAYS TRIGGER "audit_capture_insert";
--> statement-breakpoint
-- What delete does to skills becomes an event, also in replication mode.
-- Step harden.skills.audit_capture_delete; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."skills" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skills"();
--> statement-breakpoint
ALTER TABLE "public"."skills" ENABLE ALWAYS TRIGGER "audit_capture_delete";
--> statement-breakpoint
-- What update does to skills becomes an event, also in replication mode.
-- Step harden.skills.audit_capture_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."skills" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skills"();
--> statement-breakpoint
ALTER TABLE "public"."skills" ENABLE ALWAYS TRIGGER "audit_capture_update";
--> statement-breakpoint
-- Records what changes in skill_reviews: the difference, not both rows.
-- Step harden.audit.capture_skill_reviews; no table lock.
CREATE OR REPLACE FUNCTION "audit"."capture_skill_reviews"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'skill_reviews', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, n."tenant_id", 'row.insert', 'skill_reviews', n."id"::text, jsonb_build_object('new', jsonb_build_object('skill_id', n."skill_id", 'requested_by', n."requested_by", 'categories', n."categories", 'is_visible', n."is_visible")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, o."tenant_id", 'row.delete', 'skill_reviews', o."id"::text, jsonb_build_object('old', jsonb_build_object('skill_id', o."skill_id", 'requested_by', o."requested_by", 'categories', o."categories", 'is_visible', o."is_visible")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."tenant_id" ELSE n."tenant_id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'skill_reviews', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('skill_id', n."skill_id", 'requested_by', n."requested_by", 'categories', n."categories", 'is_visible', n."is_visible")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('skill_id', o."skill_id", 'requested_by', o."requested_by", 'categories', o."categories", 'is_visible', o."is_visible")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."skill_id" IS DISTINCT FROM n."skill_id" THEN '"skill_id": ' || coalesce(to_json(o."skill_id")::text, 'null') END, CASE WHEN o."requested_by" IS DISTINCT FROM n."requested_by" THEN '"requested_by": ' || coalesce(to_json(o."requested_by")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."categories"), ROW(n."categories")) THEN '"categories": ' || coalesce(to_json(o."categories")::text, 'null') END, CASE WHEN o."is_visible" IS DISTINCT FROM n."is_visible" THEN '"is_visible": ' || coalesce(to_json(o."is_visible")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."skill_id" IS DISTINCT FROM n."skill_id" THEN '"skill_id": ' || coalesce(to_json(n."skill_id")::text, 'null') END, CASE WHEN o."requested_by" IS DISTINCT FROM n."requested_by" THEN '"requested_by": ' || coalesce(to_json(n."requested_by")::text, 'null') END, CASE WHEN record_image_ne(ROW(o."categories"), ROW(n."categories")) THEN '"categories": ' || coalesce(to_json(n."categories")::text, 'null') END, CASE WHEN o."is_visible" IS DISTINCT FROM n."is_visible" THEN '"is_visible": ' || coalesce(to_json(n."is_visible")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id" AND o."tenant_id" = n."tenant_id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."skill_id" IS DISTINCT FROM n."skill_id" OR o."requested_by" IS DISTINCT FROM n."requested_by" OR record_image_ne(ROW(o."categories"), ROW(n."categories")) OR o."is_visible" IS DISTINCT FROM n."is_visible";
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."capture_skill_reviews"() OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."capture_skill_reviews"() FROM PUBLIC;
--> statement-breakpoint
-- What truncate does to skill_reviews becomes an event, also in replication mode.
-- Step harden.skill_reviews.audit_capture_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."skill_reviews" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skill_reviews"();
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ENABLE ALWAYS TRIGGER "audit_capture_truncate";
--> statement-breakpoint
-- What insert does to skill_reviews becomes an event, also in replication mode.
-- Step harden.skill_reviews.audit_capture_insert; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."skill_reviews" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skill_reviews"();
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ENABLE ALWAYS TRIGGER "audit_capture_insert";
--> statement-breakpoint
-- What delete does to skill_reviews becomes an event, also in replication mode.
-- Step harden.skill_reviews.audit_capture_delete; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."skill_reviews" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skill_reviews"();
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ENABLE ALWAYS TRIGGER "audit_capture_delete";
--> statement-breakpoint
-- What update does to skill_reviews becomes an event, also in replication mode.
-- Step harden.skill_reviews.audit_capture_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."skill_reviews" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_skill_reviews"();
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ENABLE ALWAYS TRIGGER "audit_capture_update";
--> statement-breakpoint
-- Records what changes in site_settings: the difference, not both rows.
-- Step harden.audit.capture_site_settings; no table lock.
CREATE OR REPLACE FUNCTION "audit"."capture_site_settings"() RETURNS trigger
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
    SELECT actor, address, request, session, agent, NULL::text, 'row.truncate', 'site_settings', NULL, jsonb_build_object('relation', TG_RELID::regclass::text, 'bytes', pg_relation_size(TG_RELID)), '{"captured": true}'::jsonb;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, n."tenant_id", 'row.insert', 'site_settings', n."id"::text, jsonb_build_object('new', jsonb_build_object('id', n."id", 'semantic_similarity_enabled', n."semantic_similarity_enabled", 'ollama_url', n."ollama_url", 'ollama_model', n."ollama_model", 'embedding_dimensions', n."embedding_dimensions", 'last_successful_connection', n."last_successful_connection", 'updated_at', n."updated_at")), '{"captured": true}'::jsonb
    FROM audit_new AS n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, o."tenant_id", 'row.delete', 'site_settings', o."id"::text, jsonb_build_object('old', jsonb_build_object('id', o."id", 'semantic_similarity_enabled', o."semantic_similarity_enabled", 'ollama_url', o."ollama_url", 'ollama_model', o."ollama_model", 'embedding_dimensions', o."embedding_dimensions", 'last_successful_connection', o."last_successful_connection", 'updated_at', o."updated_at")), '{"captured": true}'::jsonb
    FROM audit_old AS o;
  ELSE
    INSERT INTO "public"."audit_logs" ("id", "actor_id", "ip_address", "request_id", "session_id", "user_agent", "tenant_id", "action", "resource_type", "resource_id", "metadata", "context")
    SELECT (base || lpad(to_hex(row_number() OVER ()), 8, '0'))::uuid, actor, address, request, session, agent, CASE WHEN n."id" IS NULL THEN o."tenant_id" ELSE n."tenant_id" END, 'row.' || CASE WHEN o."id" IS NULL THEN 'insert' WHEN n."id" IS NULL THEN 'delete' ELSE 'update' END, 'site_settings', CASE WHEN n."id" IS NULL THEN o."id"::text ELSE n."id"::text END, CASE WHEN o."id" IS NULL THEN jsonb_build_object('new', jsonb_build_object('id', n."id", 'semantic_similarity_enabled', n."semantic_similarity_enabled", 'ollama_url', n."ollama_url", 'ollama_model', n."ollama_model", 'embedding_dimensions', n."embedding_dimensions", 'last_successful_connection', n."last_successful_connection", 'updated_at', n."updated_at")) WHEN n."id" IS NULL THEN jsonb_build_object('old', jsonb_build_object('id', o."id", 'semantic_similarity_enabled', o."semantic_similarity_enabled", 'ollama_url', o."ollama_url", 'ollama_model', o."ollama_model", 'embedding_dimensions', o."embedding_dimensions", 'last_successful_connection', o."last_successful_connection", 'updated_at', o."updated_at")) ELSE ('{"old": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(o."id")::text, 'null') END, CASE WHEN o."semantic_similarity_enabled" IS DISTINCT FROM n."semantic_similarity_enabled" THEN '"semantic_similarity_enabled": ' || coalesce(to_json(o."semantic_similarity_enabled")::text, 'null') END, CASE WHEN o."ollama_url" IS DISTINCT FROM n."ollama_url" THEN '"ollama_url": ' || coalesce(to_json(o."ollama_url")::text, 'null') END, CASE WHEN o."ollama_model" IS DISTINCT FROM n."ollama_model" THEN '"ollama_model": ' || coalesce(to_json(o."ollama_model")::text, 'null') END, CASE WHEN o."embedding_dimensions" IS DISTINCT FROM n."embedding_dimensions" THEN '"embedding_dimensions": ' || coalesce(to_json(o."embedding_dimensions")::text, 'null') END, CASE WHEN o."last_successful_connection" IS DISTINCT FROM n."last_successful_connection" THEN '"last_successful_connection": ' || coalesce(to_json(o."last_successful_connection")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(o."updated_at")::text, 'null') END) || '}, "new": {' || concat_ws(', ', CASE WHEN o."id" IS DISTINCT FROM n."id" THEN '"id": ' || coalesce(to_json(n."id")::text, 'null') END, CASE WHEN o."semantic_similarity_enabled" IS DISTINCT FROM n."semantic_similarity_enabled" THEN '"semantic_similarity_enabled": ' || coalesce(to_json(n."semantic_similarity_enabled")::text, 'null') END, CASE WHEN o."ollama_url" IS DISTINCT FROM n."ollama_url" THEN '"ollama_url": ' || coalesce(to_json(n."ollama_url")::text, 'null') END, CASE WHEN o."ollama_model" IS DISTINCT FROM n."ollama_model" THEN '"ollama_model": ' || coalesce(to_json(n."ollama_model")::text, 'null') END, CASE WHEN o."embedding_dimensions" IS DISTINCT FROM n."embedding_dimensions" THEN '"embedding_dimensions": ' || coalesce(to_json(n."embedding_dimensions")::text, 'null') END, CASE WHEN o."last_successful_connection" IS DISTINCT FROM n."last_successful_connection" THEN '"last_successful_connection": ' || coalesce(to_json(n."last_successful_connection")::text, 'null') END, CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN '"updated_at": ' || coalesce(to_json(n."updated_at")::text, 'null') END) || '}}')::jsonb END, '{"captured": true}'::jsonb
    FROM audit_old AS o FULL JOIN audit_new AS n ON o."id" = n."id" AND o."tenant_id" = n."tenant_id"
    WHERE o."id" IS NULL OR n."id" IS NULL OR o."id" IS DISTINCT FROM n."id" OR o."semantic_similarity_enabled" IS DISTINCT FROM n."semantic_similarity_enabled" OR o."ollama_url" IS DISTINCT FROM n."ollama_url" OR o."ollama_model" IS DISTINCT FROM n."ollama_model" OR o."embedding_dimensions" IS DISTINCT FROM n."embedding_dimensions" OR o."last_successful_connection" IS DISTINCT FROM n."last_successful_connection" OR o."updated_at" IS DISTINCT FROM n."updated_at";
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
ALTER FUNCTION "audit"."capture_site_settings"() OWNER TO "skills_audit";
--> statement-breakpoint
REVOKE ALL ON FUNCTION "audit"."capture_site_settings"() FROM PUBLIC;
--> statement-breakpoint
-- What truncate does to site_settings becomes an event, also in replication mode.
-- Step harden.site_settings.audit_capture_truncate; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_truncate" BEFORE TRUNCATE ON "public"."site_settings" FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_site_settings"();
--> statement-breakpoint
ALTER TABLE "public"."site_settings" ENABLE ALWAYS TRIGGER "audit_capture_truncate";
--> statement-breakpoint
-- What insert does to site_settings becomes an event, also in replication mode.
-- Step harden.site_settings.audit_capture_insert; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_insert" AFTER INSERT ON "public"."site_settings" REFERENCING NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_site_settings"();
--> statement-breakpoint
ALTER TABLE "public"."site_settings" ENABLE ALWAYS TRIGGER "audit_capture_insert";
--> statement-breakpoint
-- What delete does to site_settings becomes an event, also in replication mode.
-- Step harden.site_settings.audit_capture_delete; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_delete" AFTER DELETE ON "public"."site_settings" REFERENCING OLD TABLE AS audit_old FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_site_settings"();
--> statement-breakpoint
ALTER TABLE "public"."site_settings" ENABLE ALWAYS TRIGGER "audit_capture_delete";
--> statement-breakpoint
-- What update does to site_settings becomes an event, also in replication mode.
-- Step harden.site_settings.audit_capture_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "audit_capture_update" AFTER UPDATE ON "public"."site_settings" REFERENCING OLD TABLE AS audit_old NEW TABLE AS audit_new FOR EACH STATEMENT EXECUTE FUNCTION "audit"."capture_site_settings"();
--> statement-breakpoint
ALTER TABLE "public"."site_settings" ENABLE ALWAYS TRIGGER "audit_capture_update";
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.api_keys.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."api_keys" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.ratings.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.site_settings.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."site_settings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.skill_embeddings.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.skill_reviews.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.skill_versions.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.skills.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.usage_events.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."usage_events" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- A new row takes the tenant of the session; without one it is refused.
-- Step harden.users.tenant_id.default; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
--> statement-breakpoint
-- Resolvers run as this role, which nobody logs in as and which reads the columns that they compare.
-- Step harden.role.skills_resolver; no table lock.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'skills_resolver') THEN
    CREATE ROLE "skills_resolver" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
--> statement-breakpoint
-- skills_resolver reads api_keys for the resolvers, and nobody else is let through by this.
-- Step harden.api_keys.resolver; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_resolver" ON "public"."api_keys" AS PERMISSIVE FOR SELECT TO "skills_resolver" USING (true);
--> statement-breakpoint
-- skills_resolver reads tenants for the resolvers, and nobody else is let through by this.
-- Step harden.tenants.resolver; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_resolver" ON "public"."tenants" AS PERMISSIVE FOR SELECT TO "skills_resolver" USING (true);
--> statement-breakpoint
-- skills_resolver reads users for the resolvers, and nobody else is let through by this.
-- Step harden.users.resolver; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_resolver" ON "public"."users" AS PERMISSIVE FOR SELECT TO "skills_resolver" USING (true);
--> statement-breakpoint
-- skills_resolver reads key_hash, tenant_id of api_keys, and no other column.
-- Step harden.api_keys.resolver.columns; no table lock.
GRANT SELECT ("key_hash", "tenant_id") ON TABLE "public"."api_keys" TO "skills_resolver";
--> statement-breakpoint
-- skills_resolver reads slug, id of tenants, and no other column.
-- Step harden.tenants.resolver.columns; no table lock.
GRANT SELECT ("slug", "id") ON TABLE "public"."tenants" TO "skills_resolver";
--> statement-breakpoint
-- skills_resolver reads email, tenant_id of users, and no other column.
-- Step harden.users.resolver.columns; no table lock.
GRANT SELECT ("email", "tenant_id") ON TABLE "public"."users" TO "skills_resolver";
--> statement-breakpoint
-- app_user may ask tenant_by_api_key for the tenant of a value, and learns nothing else from it.
-- Step harden.resolver.tenant_by_api_key; no table lock.
CREATE FUNCTION "public"."tenant_by_api_key"(text) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT t."tenant_id" FROM "public"."api_keys" t WHERE t."key_hash" = $1';
--> statement-breakpoint
REVOKE ALL ON FUNCTION "public"."tenant_by_api_key"(text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION "public"."tenant_by_api_key"(text) TO "app_user";
--> statement-breakpoint
ALTER FUNCTION "public"."tenant_by_api_key"(text) OWNER TO "skills_resolver";
--> statement-breakpoint
-- app_user may ask tenant_by_email for the tenant of a value, and learns nothing else from it.
-- Step harden.resolver.tenant_by_email; no table lock.
CREATE FUNCTION "public"."tenant_by_email"(text) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT t."tenant_id" FROM "public"."users" t WHERE t."email" = $1';
--> statement-breakpoint
REVOKE ALL ON FUNCTION "public"."tenant_by_email"(text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION "public"."tenant_by_email"(text) TO "app_user";
--> statement-breakpoint
ALTER FUNCTION "public"."tenant_by_email"(text) OWNER TO "skills_resolver";
--> statement-breakpoint
-- app_user may ask tenant_by_slug for the tenant of a value, and learns nothing else from it.
-- Step harden.resolver.tenant_by_slug; no table lock.
CREATE FUNCTION "public"."tenant_by_slug"(text) RETURNS text
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT t."id" FROM "public"."tenants" t WHERE t."slug" = $1';
--> statement-breakpoint
REVOKE ALL ON FUNCTION "public"."tenant_by_slug"(text) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION "public"."tenant_by_slug"(text) TO "app_user";
--> statement-breakpoint
ALTER FUNCTION "public"."tenant_by_slug"(text) OWNER TO "skills_resolver";
--> statement-breakpoint
-- Searches run as this role, which nobody logs in as and which reads the columns that they compare.
-- Step harden.role.skills_searcher; no table lock.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'skills_searcher') THEN
    CREATE ROLE "skills_searcher" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
--> statement-breakpoint
-- skills_searcher reads skills for the searches, and nobody else is let through by this.
-- Step harden.skills.search; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_search" ON "public"."skills" AS PERMISSIVE FOR SELECT TO "skills_searcher" USING (true);
--> statement-breakpoint
-- skills_searcher reads id, tenant_id, search_vector, category of skills, and no other column.
-- Step harden.skills.search.columns; no table lock.
GRANT SELECT ("id", "tenant_id", "search_vector", "category") ON TABLE "public"."skills" TO "skills_searcher";
--> statement-breakpoint
-- app_user may search skills, and gets keys of the session's tenant only.
-- Step harden.search.search_skills; no table lock.
CREATE FUNCTION "public"."search_skills"("words" text, "of_category" text, "max_rows" integer DEFAULT NULL, "skip_rows" integer DEFAULT 0) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS '
#variable_conflict use_column
BEGIN
RETURN QUERY SELECT "id" FROM "public"."skills"
WHERE "tenant_id" = current_setting(''app.current_tenant_id'', true)
AND (search_vector @@ websearch_to_tsquery(''english'', words) AND (of_category IS NULL OR category = of_category))
ORDER BY ts_rank(search_vector, websearch_to_tsquery(''english'', words)) DESC, "id"
LIMIT $3 OFFSET $4;
END';
--> statement-breakpoint
REVOKE ALL ON FUNCTION "public"."search_skills"(text, text, integer, integer) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION "public"."search_skills"(text, text, integer, integer) TO "app_user";
--> statement-breakpoint
ALTER FUNCTION "public"."search_skills"(text, text, integer, integer) OWNER TO "skills_searcher";
--> statement-breakpoint
-- api_keys_key_hash_unique stays unique across tenants: a request is recognised by its key before a tenant is known, and a hash of a random key cannot be guessed
-- Step harden.api_keys.api_keys_key_hash_unique.global; no table lock.
COMMENT ON CONSTRAINT "api_keys_key_hash_unique" ON "public"."api_keys" IS 'Unique across tenants: a request is recognised by its key before a tenant is known, and a hash of a random key cannot be guessed';
--> statement-breakpoint
-- users_email_unique stays unique across tenants: sign-in looks a user up by e-mail before a tenant is known, so one address must lead to one user; the price is that a tenant can learn that an address is taken
-- Step harden.users.users_email_unique.global; no table lock.
COMMENT ON CONSTRAINT "users_email_unique" ON "public"."users" IS 'Unique across tenants: sign-in looks a user up by e-mail before a tenant is known, so one address must lead to one user; the price is that a tenant can learn that an address is taken';
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of tenants off by the way.
-- Step harden.tenants.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."tenants" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of api_keys off by the way.
-- Step harden.api_keys.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."api_keys" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of ratings off by the way.
-- Step harden.ratings.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of site_settings off by the way.
-- Step harden.site_settings.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."site_settings" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of skill_embeddings off by the way.
-- Step harden.skill_embeddings.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of skill_reviews off by the way.
-- Step harden.skill_reviews.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of skill_versions off by the way.
-- Step harden.skill_versions.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of skills off by the way.
-- Step harden.skills.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of usage_events off by the way.
-- Step harden.usage_events.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."usage_events" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of users off by the way.
-- Step harden.users.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."users" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of accounts off by the way.
-- Step harden.accounts.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."accounts" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of sessions off by the way.
-- Step harden.sessions.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."sessions" OWNER TO "skills_owner";
--> statement-breakpoint
-- Nobody logs in as skills_owner, so nobody switches the protection of verification_tokens off by the way.
-- Step harden.verification_tokens.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."verification_tokens" OWNER TO "skills_owner";
--> statement-breakpoint
-- app_user may select. Never insert, update, delete, truncate, references, trigger.
-- Step harden.tenants.grants; no table lock.
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.api_keys.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."api_keys" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.ratings.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."ratings" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.site_settings.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."site_settings" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.skill_embeddings.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."skill_embeddings" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.skill_reviews.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."skill_reviews" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.skill_versions.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."skill_versions" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.skills.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."skills" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.usage_events.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."usage_events" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.users.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.accounts.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."accounts" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.sessions.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."sessions" TO "app_user";
--> statement-breakpoint
-- app_user may select, insert, update, delete. Never truncate, references, trigger.
-- Step harden.verification_tokens.grants; no table lock.
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."verification_tokens" TO "app_user";
--> statement-breakpoint
-- app_user reads its tenant's events and writes what it may: never an id, a time, an order or a transaction.
-- Step harden.audit_logs.grants; no table lock.
GRANT SELECT ON TABLE "public"."audit_logs" TO "app_user";
--> statement-breakpoint
GRANT INSERT ("actor_id", "tenant_id", "action", "resource_type", "resource_id", "ip_address", "metadata", "outcome", "actor_type", "impersonator_id", "targets", "request_id", "session_id", "user_agent", "context", "version") ON TABLE "public"."audit_logs" TO "app_user";
--> statement-breakpoint
RESET row_security;
