-- note: code to edit: ON CONFLICT (site, taken_on) on readings becomes ON CONFLICT (tenant_id, site, taken_on)
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

-- columns.readings.tenant_id
ALTER TABLE "public"."readings" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.readings.tenant_id.check
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.readings.tenant_id.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_present";

-- enforce.readings.tenant_id.not_null
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."readings" DROP CONSTRAINT "readings_tenant_id_present";

-- enforce.readings.readings_tenant_site_taken_on_unique
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_site_taken_on_unique" UNIQUE ("tenant_id", "site", "taken_on");

-- enforce.readings.readings_tenant_id_fk
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.readings.readings_tenant_id_fk.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_fk";

-- enforce.readings.readings_site_taken_key.drop
ALTER TABLE "public"."readings" DROP CONSTRAINT "readings_site_taken_key";

-- enforce.readings.readings_tenant_id_idx.build
CREATE INDEX "readings_tenant_id_idx" ON "public"."readings" USING btree ("tenant_id");

-- enforce.readings.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings" FORCE ROW LEVEL SECURITY;

-- enforce.readings_2023.isolate
ANALYZE "public"."readings_2023" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."readings_2023" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_2023" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2023" FORCE ROW LEVEL SECURITY;

-- enforce.readings_2024.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2024" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_2024" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2024" FORCE ROW LEVEL SECURITY;

-- enforce.readings_2025.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_2025" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_2025" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2025" FORCE ROW LEVEL SECURITY;

-- enforce.readings_rest.isolate
ANALYZE "public"."readings_rest" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."readings_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_rest" FORCE ROW LEVEL SECURITY;

-- enforce.readings_2024_north.isolate
ANALYZE "public"."readings_2024_north" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."readings_2024_north" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_2024_north" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2024_north" FORCE ROW LEVEL SECURITY;

-- enforce.readings_2024_rest.isolate
ANALYZE "public"."readings_2024_rest" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."readings_2024_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_2024_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2024_rest" FORCE ROW LEVEL SECURITY;

-- enforce.readings_2025_0.isolate
ANALYZE "public"."readings_2025_0" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."readings_2025_0" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_2025_0" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2025_0" FORCE ROW LEVEL SECURITY;

-- enforce.readings_2025_1.isolate
ANALYZE "public"."readings_2025_1" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."readings_2025_1" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."readings_2025_1" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_2025_1" FORCE ROW LEVEL SECURITY;

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

-- harden.readings.tenant_id.default
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.readings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."readings" TO "app_user";

-- harden.readings_id_seq.grants
GRANT USAGE ON SEQUENCE "public"."readings_id_seq" TO "app_user";
