-- note: code to edit: ON CONFLICT (colour) on colours becomes ON CONFLICT (tenant_id, colour)
-- note: code to edit: ON CONFLICT (kind) on kinds becomes ON CONFLICT (tenant_id, kind)
-- note: code to edit: ON CONFLICT (label) on labels becomes ON CONFLICT (tenant_id, label)
-- note: code to edit: ON CONFLICT (email) on users becomes ON CONFLICT (tenant_id, email)
-- note: code to edit: ON CONFLICT (nick) on users becomes ON CONFLICT (tenant_id, nick)
-- note: code to edit: what looks for labels_label_key in an error meets labels_tenant_id_idx, without a DETAIL
-- note: code to edit: what looks for users_email_key in an error meets users_tenant_and_email, without a DETAIL
-- note: code to edit: what looks for users_nick_key in an error meets users_tenant_and_nick, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

-- enforce.labels.labels_tenant_id_idx.build
CREATE UNIQUE INDEX CONCURRENTLY "labels_tenant_id_idx" ON "public"."labels" USING btree ("tenant_id", "label");

-- enforce.labels.labels_tenant_id_idx
ALTER TABLE "public"."labels" ADD CONSTRAINT "labels_tenant_id_idx" UNIQUE USING INDEX "labels_tenant_id_idx";

-- enforce.users.users_tenant_and_email
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_and_email" UNIQUE USING INDEX "users_tenant_and_email";

-- enforce.colours.colours_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "colours_pkey_tenant" ON "public"."colours" USING btree ("tenant_id", "colour");

-- enforce.users.users_tenant_and_id
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_and_id" UNIQUE USING INDEX "users_tenant_and_id";

-- enforce.posts.posts_tenant_colour_fk
ALTER TABLE "public"."posts" ADD CONSTRAINT "posts_tenant_colour_fk" FOREIGN KEY ("tenant_id", "colour") REFERENCES "public"."colours" ("tenant_id", "colour") NOT VALID;

-- enforce.posts.posts_tenant_colour_fk.validate
ALTER TABLE "public"."posts" VALIDATE CONSTRAINT "posts_tenant_colour_fk";

-- enforce.posts.posts_tenant_editor_fk
ALTER TABLE "public"."posts" ADD CONSTRAINT "posts_tenant_editor_fk" FOREIGN KEY ("tenant_id", "editor_id") REFERENCES "public"."users" ("tenant_id", "id") NOT VALID;

-- enforce.posts.posts_tenant_editor_fk.validate
ALTER TABLE "public"."posts" VALIDATE CONSTRAINT "posts_tenant_editor_fk";

-- enforce.posts.posts_tenant_label_fk
ALTER TABLE "public"."posts" ADD CONSTRAINT "posts_tenant_label_fk" FOREIGN KEY ("tenant_id", "label_id") REFERENCES "public"."labels" ("tenant_id", "id") NOT VALID;

-- enforce.posts.posts_tenant_label_fk.validate
ALTER TABLE "public"."posts" VALIDATE CONSTRAINT "posts_tenant_label_fk";

-- enforce.posts.posts_colour_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_colour_fkey";

-- enforce.posts.posts_editor_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_editor_fkey";

-- enforce.posts.posts_kind_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_kind_fkey";

-- enforce.posts.posts_label_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_label_fkey";

-- enforce.posts.posts_user_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_user_fkey";

-- enforce.colours.colours_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "colours_tenant_id_idx" ON "public"."colours" USING btree ("tenant_id");

-- enforce.kinds.kinds_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "kinds_tenant_id_idx" ON "public"."kinds" USING btree ("tenant_id");

-- enforce.labels.labels_tenant_id_idx2.build
CREATE INDEX CONCURRENTLY "labels_tenant_id_idx2" ON "public"."labels" USING btree ("tenant_id");

-- enforce.posts.posts_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "posts_tenant_id_idx" ON "public"."posts" USING btree ("tenant_id");

-- enforce.users.users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "users_tenant_id_idx" ON "public"."users" USING btree ("tenant_id");

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

-- observe.colours.analyze
ANALYZE "public"."colours" ("tenant_id");

-- observe.colours.isolate
CREATE POLICY "tenant_isolation" ON "public"."colours" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."colours" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('colours'))) WITH CHECK ((SELECT tenantry.observe('colours')));
ALTER TABLE "public"."colours" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."colours" FORCE ROW LEVEL SECURITY;

-- observe.kinds.analyze
ANALYZE "public"."kinds" ("tenant_id");

-- observe.kinds.isolate
CREATE POLICY "tenant_isolation" ON "public"."kinds" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."kinds" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('kinds'))) WITH CHECK ((SELECT tenantry.observe('kinds')));
ALTER TABLE "public"."kinds" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."kinds" FORCE ROW LEVEL SECURITY;

-- observe.labels.analyze
ANALYZE "public"."labels" ("tenant_id");

-- observe.labels.isolate
CREATE POLICY "tenant_isolation" ON "public"."labels" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."labels" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('labels'))) WITH CHECK ((SELECT tenantry.observe('labels')));
ALTER TABLE "public"."labels" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."labels" FORCE ROW LEVEL SECURITY;

-- observe.posts.analyze
ANALYZE "public"."posts" ("tenant_id");

-- observe.posts.isolate
CREATE POLICY "tenant_isolation" ON "public"."posts" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."posts" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('posts'))) WITH CHECK ((SELECT tenantry.observe('posts')));
ALTER TABLE "public"."posts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."posts" FORCE ROW LEVEL SECURITY;

-- observe.users.analyze
ANALYZE "public"."users" ("tenant_id");

-- observe.users.isolate
CREATE POLICY "tenant_isolation" ON "public"."users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."users" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('users'))) WITH CHECK ((SELECT tenantry.observe('users')));
ALTER TABLE "public"."users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.colours.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."colours" TO "app_user";

-- observe.kinds.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."kinds" TO "app_user";

-- observe.labels.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."labels" TO "app_user";

-- observe.posts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."posts" TO "app_user";

-- observe.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";

-- cutover.labels.labels_label_key.drop
ALTER TABLE "public"."labels" DROP CONSTRAINT "labels_label_key";

-- cutover.users.users_email_key.drop
ALTER TABLE "public"."users" DROP CONSTRAINT "users_email_key";

-- cutover.users.users_nick_key.drop
ALTER TABLE "public"."users" DROP CONSTRAINT "users_nick_key";

-- cutover.colours.colours_pkey
ALTER TABLE "public"."colours" DROP CONSTRAINT "colours_pkey";
ALTER TABLE "public"."colours" ADD CONSTRAINT "colours_pkey" PRIMARY KEY USING INDEX "colours_pkey_tenant";

-- cutover.kinds.kinds_pkey
ALTER TABLE "public"."kinds" DROP CONSTRAINT "kinds_pkey";
ALTER TABLE "public"."kinds" ADD CONSTRAINT "kinds_pkey" PRIMARY KEY USING INDEX "kinds_tenant_and_kind";

-- cutover.colours.observe
DROP POLICY IF EXISTS "observe" ON "public"."colours";

-- cutover.kinds.observe
DROP POLICY IF EXISTS "observe" ON "public"."kinds";

-- cutover.labels.observe
DROP POLICY IF EXISTS "observe" ON "public"."labels";

-- cutover.posts.observe
DROP POLICY IF EXISTS "observe" ON "public"."posts";

-- cutover.users.observe
DROP POLICY IF EXISTS "observe" ON "public"."users";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.colours.tenant_id.default
ALTER TABLE "public"."colours" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.kinds.tenant_id.default
ALTER TABLE "public"."kinds" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.labels.tenant_id.default
ALTER TABLE "public"."labels" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.posts.tenant_id.default
ALTER TABLE "public"."posts" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
