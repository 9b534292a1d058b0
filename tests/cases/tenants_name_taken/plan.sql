-- note: code to edit: ON CONFLICT (flat) on tenants becomes ON CONFLICT (customer_id, flat)
-- note: code to edit: what looks for tenants_flat_key in an error meets tenants_tenant_flat_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.create
CREATE TABLE "public"."customers" (
  "id" text PRIMARY KEY DEFAULT gen_random_uuid()::text,
  name text NOT NULL,
  slug text NOT NULL CONSTRAINT "customers_slug_unique2" UNIQUE,
  domain text,
  logo text,
  is_active boolean NOT NULL DEFAULT true,
  plan text NOT NULL DEFAULT 'freemium',
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT "customers_id_not_empty" CHECK ("id" <> '')
);

-- tenants.default
INSERT INTO "public"."customers" ("id", name, slug)
VALUES ('first', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.tenants.customer_id
ALTER TABLE "public"."tenants" ADD COLUMN "customer_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."tenants" ALTER COLUMN "customer_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.tenants.customer_id.check
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_customer_id_present" CHECK ("customer_id" IS NOT NULL) NOT VALID;

-- enforce.tenants.customer_id.validate
ALTER TABLE "public"."tenants" VALIDATE CONSTRAINT "tenants_customer_id_present";

-- enforce.tenants.customer_id.not_null
ALTER TABLE "public"."tenants" ALTER COLUMN "customer_id" SET NOT NULL;
ALTER TABLE "public"."tenants" DROP CONSTRAINT "tenants_customer_id_present";

-- enforce.tenants.tenants_tenant_flat_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "tenants_tenant_flat_unique" ON "public"."tenants" USING btree ("customer_id", "flat");

-- enforce.tenants.tenants_tenant_flat_unique
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_tenant_flat_unique" UNIQUE USING INDEX "tenants_tenant_flat_unique";

-- enforce.tenants.tenants_customer_id_fk
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_customer_id_fk" FOREIGN KEY ("customer_id") REFERENCES "public"."customers" ("id") NOT VALID;

-- enforce.tenants.tenants_customer_id_fk.validate
ALTER TABLE "public"."tenants" VALIDATE CONSTRAINT "tenants_customer_id_fk";

-- enforce.tenants.tenants_customer_id_idx.build
CREATE INDEX CONCURRENTLY "tenants_customer_id_idx" ON "public"."tenants" USING btree ("customer_id");

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

-- observe.tenants.analyze
ANALYZE "public"."tenants" ("customer_id");

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("customer_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("customer_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.customers.isolate
CREATE POLICY "tenant_isolation" ON "public"."customers" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."customers" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('customers'))) WITH CHECK ((SELECT tenantry.observe('customers')));
ALTER TABLE "public"."customers" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."customers" FORCE ROW LEVEL SECURITY;

-- observe.customers.grants
GRANT SELECT ON TABLE "public"."customers" TO "app_user";

-- observe.tenants.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."tenants" TO "app_user";

-- cutover.tenants.tenants_flat_key.drop
ALTER TABLE "public"."tenants" DROP CONSTRAINT "tenants_flat_key";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";

-- cutover.customers.observe
DROP POLICY IF EXISTS "observe" ON "public"."customers";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.tenants.customer_id.default
ALTER TABLE "public"."tenants" ALTER COLUMN "customer_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
