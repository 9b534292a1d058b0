-- note: code to edit: ON CONFLICT (colour) on colours becomes ON CONFLICT (tenant_id, colour)
-- note: code to edit: ON CONFLICT (kind) on kinds becomes ON CONFLICT (tenant_id, kind)
-- note: code to edit: ON CONFLICT (email) on users becomes ON CONFLICT (tenant_id, email)
-- note: code to edit: ON CONFLICT (nick) on users becomes ON CONFLICT (tenant_id, nick)
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

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

-- enforce.posts.posts_colour_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_colour_fkey";

-- enforce.posts.posts_editor_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_editor_fkey";

-- enforce.posts.posts_kind_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_kind_fkey";

-- enforce.posts.posts_user_fkey.drop
ALTER TABLE "public"."posts" DROP CONSTRAINT "posts_user_fkey";

-- enforce.users.users_email_key.drop
ALTER TABLE "public"."users" DROP CONSTRAINT "users_email_key";

-- enforce.users.users_nick_key.drop
ALTER TABLE "public"."users" DROP CONSTRAINT "users_nick_key";

-- enforce.colours.colours_pkey
ALTER TABLE "public"."colours" DROP CONSTRAINT "colours_pkey";
ALTER TABLE "public"."colours" ADD CONSTRAINT "colours_pkey" PRIMARY KEY USING INDEX "colours_pkey_tenant";

-- enforce.kinds.kinds_pkey
ALTER TABLE "public"."kinds" DROP CONSTRAINT "kinds_pkey";
ALTER TABLE "public"."kinds" ADD CONSTRAINT "kinds_pkey" PRIMARY KEY USING INDEX "kinds_tenant_and_kind";

-- enforce.colours.colours_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "colours_tenant_id_idx" ON "public"."colours" USING btree ("tenant_id");

-- enforce.kinds.kinds_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "kinds_tenant_id_idx" ON "public"."kinds" USING btree ("tenant_id");

-- enforce.posts.posts_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "posts_tenant_id_idx" ON "public"."posts" USING btree ("tenant_id");

-- enforce.users.users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "users_tenant_id_idx" ON "public"."users" USING btree ("tenant_id");

-- enforce.colours.isolate
ANALYZE "public"."colours" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."colours" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."colours" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."colours" FORCE ROW LEVEL SECURITY;

-- enforce.kinds.isolate
ANALYZE "public"."kinds" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."kinds" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."kinds" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."kinds" FORCE ROW LEVEL SECURITY;

-- enforce.posts.isolate
ANALYZE "public"."posts" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."posts" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."posts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."posts" FORCE ROW LEVEL SECURITY;

-- enforce.users.isolate
ANALYZE "public"."users" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- harden.colours.tenant_id.default
ALTER TABLE "public"."colours" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.kinds.tenant_id.default
ALTER TABLE "public"."kinds" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.posts.tenant_id.default
ALTER TABLE "public"."posts" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.colours.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."colours" TO "app_user";

-- harden.kinds.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."kinds" TO "app_user";

-- harden.posts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."posts" TO "app_user";

-- harden.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";
