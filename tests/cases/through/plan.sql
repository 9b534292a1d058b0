-- note: code to edit: ON CONFLICT (realm, email) on users becomes ON CONFLICT (tenant_id, realm, email)
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

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

-- columns.users.tenant_id
ALTER TABLE "public"."users" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.users.tenant_id.check
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.users.tenant_id.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_present";

-- enforce.users.tenant_id.not_null
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."users" DROP CONSTRAINT "users_tenant_id_present";

-- enforce.users.users_tenant_realm_email_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_realm_email_unique" ON "public"."users" USING btree ("tenant_id", "realm", "email");

-- enforce.users.users_tenant_realm_email_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_realm_email_unique" UNIQUE USING INDEX "users_tenant_realm_email_unique";

-- enforce.users.users_tenant_id_fk
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.users.users_tenant_id_fk.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_fk";

-- enforce.users.users_email_key.drop
ALTER TABLE "public"."users" DROP CONSTRAINT "users_email_key";

-- enforce.users.users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "users_tenant_id_idx" ON "public"."users" USING btree ("tenant_id");

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

-- harden.Reset Tokens.isolate
CREATE POLICY "tenant_isolation" ON "public"."Reset Tokens" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."email" = "public"."Reset Tokens"."E-Mail" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."email" = "public"."Reset Tokens"."E-Mail" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
ALTER TABLE "public"."Reset Tokens" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."Reset Tokens" FORCE ROW LEVEL SECURITY;

-- harden.invitations.isolate
CREATE POLICY "tenant_isolation" ON "public"."invitations" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."email" = "public"."invitations"."mail" AND p."realm" = "public"."invitations"."realm" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."email" = "public"."invitations"."mail" AND p."realm" = "public"."invitations"."realm" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
ALTER TABLE "public"."invitations" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."invitations" FORCE ROW LEVEL SECURITY;

-- harden.p.isolate
CREATE POLICY "tenant_isolation" ON "public"."p" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."p"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."p"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
ALTER TABLE "public"."p" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."p" FORCE ROW LEVEL SECURITY;

-- harden.sessions.isolate
CREATE POLICY "tenant_isolation" ON "public"."sessions" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = current_setting('app.current_tenant_id', true)));
ALTER TABLE "public"."sessions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."sessions" FORCE ROW LEVEL SECURITY;

-- harden.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- harden.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";

-- harden.Reset Tokens.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."Reset Tokens" TO "app_user";

-- harden.invitations.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."invitations" TO "app_user";

-- harden.p.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."p" TO "app_user";

-- harden.sessions.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."sessions" TO "app_user";
