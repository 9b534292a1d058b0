-- note: code to edit: ON CONFLICT (region) on sales becomes ON CONFLICT (tenant_id, region)
-- note: code to edit: what looks for sales_region_key in an error meets sales_tenant_region_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: sale_sums: a materialized view holds the rows of every tenant and cannot have a policy; app_user gets no right on it
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

-- columns.sales.tenant_id
ALTER TABLE "public"."sales" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."sales" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.sales.tenant_id.check
ALTER TABLE "public"."sales" ADD CONSTRAINT "sales_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.sales.tenant_id.validate
ALTER TABLE "public"."sales" VALIDATE CONSTRAINT "sales_tenant_id_present";

-- enforce.sales.tenant_id.not_null
ALTER TABLE "public"."sales" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."sales" DROP CONSTRAINT "sales_tenant_id_present";

-- enforce.sales.sales_tenant_region_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "sales_tenant_region_unique" ON "public"."sales" USING btree ("tenant_id", "region");

-- enforce.sales.sales_tenant_region_unique
ALTER TABLE "public"."sales" ADD CONSTRAINT "sales_tenant_region_unique" UNIQUE USING INDEX "sales_tenant_region_unique";

-- enforce.sales.sales_tenant_id_fk
ALTER TABLE "public"."sales" ADD CONSTRAINT "sales_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.sales.sales_tenant_id_fk.validate
ALTER TABLE "public"."sales" VALIDATE CONSTRAINT "sales_tenant_id_fk";

-- enforce.sales.sales_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "sales_tenant_id_idx" ON "public"."sales" USING btree ("tenant_id");

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

-- observe.sales.analyze
ANALYZE "public"."sales" ("tenant_id");

-- observe.sales.isolate
CREATE POLICY "tenant_isolation" ON "public"."sales" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."sales" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('sales'))) WITH CHECK ((SELECT tenantry.observe('sales')));
ALTER TABLE "public"."sales" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."sales" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.sales.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."sales" TO "app_user";

-- cutover.sales.sales_region_key.drop
ALTER TABLE "public"."sales" DROP CONSTRAINT "sales_region_key";

-- cutover.sales.observe
DROP POLICY IF EXISTS "observe" ON "public"."sales";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.sales.tenant_id.default
ALTER TABLE "public"."sales" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.sale_regions.invoker
ALTER VIEW "public"."sale_regions" SET (security_invoker = true);

-- cutover.sale_regions.grants
GRANT SELECT ON TABLE "public"."sale_regions" TO "app_user";

-- cutover.sale_totals.invoker
ALTER VIEW "public"."sale_totals" SET (security_invoker = true);

-- cutover.sale_totals.grants
GRANT SELECT ON TABLE "public"."sale_totals" TO "app_user";
