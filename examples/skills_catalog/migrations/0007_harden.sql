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
-- skills_resolver looks a tenant up in api_keys before one is known, and nobody else does.
-- Step harden.api_keys.resolver; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_resolver" ON "public"."api_keys" AS PERMISSIVE FOR SELECT TO "skills_resolver" USING (true);
--> statement-breakpoint
-- skills_resolver looks a tenant up in tenants before one is known, and nobody else does.
-- Step harden.tenants.resolver; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_resolver" ON "public"."tenants" AS PERMISSIVE FOR SELECT TO "skills_resolver" USING (true);
--> statement-breakpoint
-- skills_resolver looks a tenant up in users before one is known, and nobody else does.
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
-- Nobody logs in as skills_owner, so nobody switches the protection of audit_logs off by the way.
-- Step harden.audit_logs.owner; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."audit_logs" OWNER TO "skills_owner";
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
-- app_user may select, insert. Never update, delete, truncate, references, trigger.
-- Step harden.audit_logs.grants; no table lock.
GRANT SELECT, INSERT ON TABLE "public"."audit_logs" TO "app_user";
--> statement-breakpoint
RESET row_security;
