-- note: code to edit: ON CONFLICT (code) on parcels becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: what looks for parcels_code_key in an error meets parcels_tenant_code_unique, without a DETAIL
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

-- columns.parcels.tenant_id
ALTER TABLE "public"."parcels" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."parcels" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.parcels.tenant_id.check
ALTER TABLE "public"."parcels" ADD CONSTRAINT "parcels_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.parcels.tenant_id.validate
ALTER TABLE "public"."parcels" VALIDATE CONSTRAINT "parcels_tenant_id_present";

-- enforce.parcels.tenant_id.not_null
ALTER TABLE "public"."parcels" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."parcels" DROP CONSTRAINT "parcels_tenant_id_present";

-- enforce.parcels.parcels_tenant_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "parcels_tenant_code_unique" ON "public"."parcels" USING btree ("tenant_id", "code");

-- enforce.parcels.parcels_tenant_code_unique
ALTER TABLE "public"."parcels" ADD CONSTRAINT "parcels_tenant_code_unique" UNIQUE USING INDEX "parcels_tenant_code_unique";

-- enforce.parcels.parcels_tenant_id_fk
ALTER TABLE "public"."parcels" ADD CONSTRAINT "parcels_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.parcels.parcels_tenant_id_fk.validate
ALTER TABLE "public"."parcels" VALIDATE CONSTRAINT "parcels_tenant_id_fk";

-- enforce.parcels.parcels_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "parcels_tenant_id_idx" ON "public"."parcels" USING btree ("tenant_id");

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

-- observe.parcels.analyze
ANALYZE "public"."parcels" ("tenant_id");

-- observe.parcels.isolate
CREATE POLICY "tenant_isolation" ON "public"."parcels" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."parcels" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('parcels'))) WITH CHECK ((SELECT tenantry.observe('parcels')));
ALTER TABLE "public"."parcels" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."parcels" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.parcels.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."parcels" TO "app_user";

-- observe.parcels_counter_seq.grants
GRANT USAGE ON SEQUENCE "public"."parcels_counter_seq" TO "app_user";

-- cutover.parcels.parcels_code_key.drop
ALTER TABLE "public"."parcels" DROP CONSTRAINT "parcels_code_key";

-- cutover.parcels.observe
DROP POLICY IF EXISTS "observe" ON "public"."parcels";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.parcels.tenant_id.default
ALTER TABLE "public"."parcels" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
