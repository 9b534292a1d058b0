-- note: code to edit: ON CONFLICT (name) on ring_a becomes ON CONFLICT (tenant_id, name)
-- note: code to edit: ON CONFLICT (name) on ring_b becomes ON CONFLICT (tenant_id, name)
-- note: code to edit: ON CONFLICT (name) on ring_c becomes ON CONFLICT (tenant_id, name)
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
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

-- columns.people.tenant_id
ALTER TABLE "public"."people" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."people" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.ring_a.tenant_id
ALTER TABLE "public"."ring_a" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."ring_a" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.ring_b.tenant_id
ALTER TABLE "public"."ring_b" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."ring_b" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.ring_c.tenant_id
ALTER TABLE "public"."ring_c" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."ring_c" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.teams.tenant_id
ALTER TABLE "public"."teams" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."teams" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.people.tenant_id.check
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.people.tenant_id.validate
ALTER TABLE "public"."people" VALIDATE CONSTRAINT "people_tenant_id_present";

-- enforce.people.tenant_id.not_null
ALTER TABLE "public"."people" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."people" DROP CONSTRAINT "people_tenant_id_present";

-- enforce.ring_a.tenant_id.check
ALTER TABLE "public"."ring_a" ADD CONSTRAINT "ring_a_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.ring_a.tenant_id.validate
ALTER TABLE "public"."ring_a" VALIDATE CONSTRAINT "ring_a_tenant_id_present";

-- enforce.ring_a.tenant_id.not_null
ALTER TABLE "public"."ring_a" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."ring_a" DROP CONSTRAINT "ring_a_tenant_id_present";

-- enforce.ring_b.tenant_id.check
ALTER TABLE "public"."ring_b" ADD CONSTRAINT "ring_b_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.ring_b.tenant_id.validate
ALTER TABLE "public"."ring_b" VALIDATE CONSTRAINT "ring_b_tenant_id_present";

-- enforce.ring_b.tenant_id.not_null
ALTER TABLE "public"."ring_b" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."ring_b" DROP CONSTRAINT "ring_b_tenant_id_present";

-- enforce.ring_c.tenant_id.check
ALTER TABLE "public"."ring_c" ADD CONSTRAINT "ring_c_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.ring_c.tenant_id.validate
ALTER TABLE "public"."ring_c" VALIDATE CONSTRAINT "ring_c_tenant_id_present";

-- enforce.ring_c.tenant_id.not_null
ALTER TABLE "public"."ring_c" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."ring_c" DROP CONSTRAINT "ring_c_tenant_id_present";

-- enforce.teams.tenant_id.check
ALTER TABLE "public"."teams" ADD CONSTRAINT "teams_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.teams.tenant_id.validate
ALTER TABLE "public"."teams" VALIDATE CONSTRAINT "teams_tenant_id_present";

-- enforce.teams.tenant_id.not_null
ALTER TABLE "public"."teams" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."teams" DROP CONSTRAINT "teams_tenant_id_present";

-- enforce.ring_a.ring_a_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "ring_a_pkey_tenant" ON "public"."ring_a" USING btree ("tenant_id", "name");

-- enforce.ring_b.ring_b_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "ring_b_pkey_tenant" ON "public"."ring_b" USING btree ("tenant_id", "name");

-- enforce.ring_c.ring_c_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "ring_c_pkey_tenant" ON "public"."ring_c" USING btree ("tenant_id", "name");

-- enforce.teams.teams_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "teams_tenant_id_unique" ON "public"."teams" USING btree ("tenant_id", "id");

-- enforce.teams.teams_tenant_id_unique
ALTER TABLE "public"."teams" ADD CONSTRAINT "teams_tenant_id_unique" UNIQUE USING INDEX "teams_tenant_id_unique";

-- enforce.people.people_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "people_tenant_id_unique" ON "public"."people" USING btree ("tenant_id", "id");

-- enforce.people.people_tenant_id_unique
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_id_unique" UNIQUE USING INDEX "people_tenant_id_unique";

-- enforce.people.people_tenant_id_fk
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.people.people_tenant_id_fk.validate
ALTER TABLE "public"."people" VALIDATE CONSTRAINT "people_tenant_id_fk";

-- enforce.ring_a.ring_a_tenant_id_fk
ALTER TABLE "public"."ring_a" ADD CONSTRAINT "ring_a_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.ring_a.ring_a_tenant_id_fk.validate
ALTER TABLE "public"."ring_a" VALIDATE CONSTRAINT "ring_a_tenant_id_fk";

-- enforce.ring_b.ring_b_tenant_id_fk
ALTER TABLE "public"."ring_b" ADD CONSTRAINT "ring_b_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.ring_b.ring_b_tenant_id_fk.validate
ALTER TABLE "public"."ring_b" VALIDATE CONSTRAINT "ring_b_tenant_id_fk";

-- enforce.ring_c.ring_c_tenant_id_fk
ALTER TABLE "public"."ring_c" ADD CONSTRAINT "ring_c_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.ring_c.ring_c_tenant_id_fk.validate
ALTER TABLE "public"."ring_c" VALIDATE CONSTRAINT "ring_c_tenant_id_fk";

-- enforce.teams.teams_tenant_id_fk
ALTER TABLE "public"."teams" ADD CONSTRAINT "teams_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.teams.teams_tenant_id_fk.validate
ALTER TABLE "public"."teams" VALIDATE CONSTRAINT "teams_tenant_id_fk";

-- enforce.people.people_tenant_team_fk
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_team_fk" FOREIGN KEY ("tenant_id", "team_id") REFERENCES "public"."teams" ("tenant_id", "id") NOT VALID;

-- enforce.people.people_tenant_team_fk.validate
ALTER TABLE "public"."people" VALIDATE CONSTRAINT "people_tenant_team_fk";

-- enforce.ring_a.ring_a_tenant_next_fk
ALTER TABLE "public"."ring_a" ADD CONSTRAINT "ring_a_tenant_next_fk" FOREIGN KEY ("tenant_id", "next") REFERENCES "public"."ring_b" ("tenant_id", "name") NOT VALID;

-- enforce.ring_a.ring_a_tenant_next_fk.validate
ALTER TABLE "public"."ring_a" VALIDATE CONSTRAINT "ring_a_tenant_next_fk";

-- enforce.ring_b.ring_b_tenant_next_fk
ALTER TABLE "public"."ring_b" ADD CONSTRAINT "ring_b_tenant_next_fk" FOREIGN KEY ("tenant_id", "next") REFERENCES "public"."ring_c" ("tenant_id", "name") NOT VALID;

-- enforce.ring_b.ring_b_tenant_next_fk.validate
ALTER TABLE "public"."ring_b" VALIDATE CONSTRAINT "ring_b_tenant_next_fk";

-- enforce.ring_c.ring_c_tenant_next_fk
ALTER TABLE "public"."ring_c" ADD CONSTRAINT "ring_c_tenant_next_fk" FOREIGN KEY ("tenant_id", "next") REFERENCES "public"."ring_a" ("tenant_id", "name") DEFERRABLE INITIALLY DEFERRED NOT VALID;

-- enforce.ring_c.ring_c_tenant_next_fk.validate
ALTER TABLE "public"."ring_c" VALIDATE CONSTRAINT "ring_c_tenant_next_fk";

-- enforce.teams.teams_tenant_lead_fk
ALTER TABLE "public"."teams" ADD CONSTRAINT "teams_tenant_lead_fk" FOREIGN KEY ("tenant_id", "lead_id") REFERENCES "public"."people" ("tenant_id", "id") ON DELETE SET NULL ("lead_id") NOT VALID;

-- enforce.teams.teams_tenant_lead_fk.validate
ALTER TABLE "public"."teams" VALIDATE CONSTRAINT "teams_tenant_lead_fk";

-- enforce.people.people_team_id_fkey.drop
ALTER TABLE "public"."people" DROP CONSTRAINT "people_team_id_fkey";

-- enforce.ring_a.ring_a_next_fkey.drop
ALTER TABLE "public"."ring_a" DROP CONSTRAINT "ring_a_next_fkey";

-- enforce.ring_b.ring_b_next_fkey.drop
ALTER TABLE "public"."ring_b" DROP CONSTRAINT "ring_b_next_fkey";

-- enforce.ring_c.ring_c_next_fkey.drop
ALTER TABLE "public"."ring_c" DROP CONSTRAINT "ring_c_next_fkey";

-- enforce.teams.teams_lead_fkey.drop
ALTER TABLE "public"."teams" DROP CONSTRAINT "teams_lead_fkey";

-- enforce.people.people_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "people_tenant_id_idx" ON "public"."people" USING btree ("tenant_id");

-- enforce.ring_a.ring_a_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "ring_a_tenant_id_idx" ON "public"."ring_a" USING btree ("tenant_id");

-- enforce.ring_b.ring_b_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "ring_b_tenant_id_idx" ON "public"."ring_b" USING btree ("tenant_id");

-- enforce.ring_c.ring_c_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "ring_c_tenant_id_idx" ON "public"."ring_c" USING btree ("tenant_id");

-- enforce.teams.teams_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "teams_tenant_id_idx" ON "public"."teams" USING btree ("tenant_id");

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

-- observe.people.analyze
ANALYZE "public"."people" ("tenant_id");

-- observe.people.isolate
CREATE POLICY "tenant_isolation" ON "public"."people" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."people" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('people'))) WITH CHECK ((SELECT tenantry.observe('people')));
ALTER TABLE "public"."people" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."people" FORCE ROW LEVEL SECURITY;

-- observe.ring_a.analyze
ANALYZE "public"."ring_a" ("tenant_id");

-- observe.ring_a.isolate
CREATE POLICY "tenant_isolation" ON "public"."ring_a" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."ring_a" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('ring_a'))) WITH CHECK ((SELECT tenantry.observe('ring_a')));
ALTER TABLE "public"."ring_a" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."ring_a" FORCE ROW LEVEL SECURITY;

-- observe.ring_b.analyze
ANALYZE "public"."ring_b" ("tenant_id");

-- observe.ring_b.isolate
CREATE POLICY "tenant_isolation" ON "public"."ring_b" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."ring_b" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('ring_b'))) WITH CHECK ((SELECT tenantry.observe('ring_b')));
ALTER TABLE "public"."ring_b" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."ring_b" FORCE ROW LEVEL SECURITY;

-- observe.ring_c.analyze
ANALYZE "public"."ring_c" ("tenant_id");

-- observe.ring_c.isolate
CREATE POLICY "tenant_isolation" ON "public"."ring_c" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."ring_c" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('ring_c'))) WITH CHECK ((SELECT tenantry.observe('ring_c')));
ALTER TABLE "public"."ring_c" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."ring_c" FORCE ROW LEVEL SECURITY;

-- observe.teams.analyze
ANALYZE "public"."teams" ("tenant_id");

-- observe.teams.isolate
CREATE POLICY "tenant_isolation" ON "public"."teams" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."teams" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('teams'))) WITH CHECK ((SELECT tenantry.observe('teams')));
ALTER TABLE "public"."teams" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."teams" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.people.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."people" TO "app_user";

-- observe.ring_a.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."ring_a" TO "app_user";

-- observe.ring_b.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."ring_b" TO "app_user";

-- observe.ring_c.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."ring_c" TO "app_user";

-- observe.teams.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."teams" TO "app_user";

-- cutover.ring_a.ring_a_pkey
ALTER TABLE "public"."ring_a" DROP CONSTRAINT "ring_a_pkey";
ALTER TABLE "public"."ring_a" ADD CONSTRAINT "ring_a_pkey" PRIMARY KEY USING INDEX "ring_a_pkey_tenant";

-- cutover.ring_b.ring_b_pkey
ALTER TABLE "public"."ring_b" DROP CONSTRAINT "ring_b_pkey";
ALTER TABLE "public"."ring_b" ADD CONSTRAINT "ring_b_pkey" PRIMARY KEY USING INDEX "ring_b_pkey_tenant";

-- cutover.ring_c.ring_c_pkey
ALTER TABLE "public"."ring_c" DROP CONSTRAINT "ring_c_pkey";
ALTER TABLE "public"."ring_c" ADD CONSTRAINT "ring_c_pkey" PRIMARY KEY USING INDEX "ring_c_pkey_tenant";

-- cutover.people.observe
DROP POLICY IF EXISTS "observe" ON "public"."people";

-- cutover.ring_a.observe
DROP POLICY IF EXISTS "observe" ON "public"."ring_a";

-- cutover.ring_b.observe
DROP POLICY IF EXISTS "observe" ON "public"."ring_b";

-- cutover.ring_c.observe
DROP POLICY IF EXISTS "observe" ON "public"."ring_c";

-- cutover.teams.observe
DROP POLICY IF EXISTS "observe" ON "public"."teams";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.people.tenant_id.default
ALTER TABLE "public"."people" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.ring_a.tenant_id.default
ALTER TABLE "public"."ring_a" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.ring_b.tenant_id.default
ALTER TABLE "public"."ring_b" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.ring_c.tenant_id.default
ALTER TABLE "public"."ring_c" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.teams.tenant_id.default
ALTER TABLE "public"."teams" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
