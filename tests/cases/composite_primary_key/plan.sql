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

-- columns.order_lines.tenant_id
ALTER TABLE "public"."order_lines" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."order_lines" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.orders.tenant_id
ALTER TABLE "public"."orders" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."orders" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.order_lines.tenant_id.check
ALTER TABLE "public"."order_lines" ADD CONSTRAINT "order_lines_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.order_lines.tenant_id.validate
ALTER TABLE "public"."order_lines" VALIDATE CONSTRAINT "order_lines_tenant_id_present";

-- enforce.order_lines.tenant_id.not_null
ALTER TABLE "public"."order_lines" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."order_lines" DROP CONSTRAINT "order_lines_tenant_id_present";

-- enforce.orders.tenant_id.check
ALTER TABLE "public"."orders" ADD CONSTRAINT "orders_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.orders.tenant_id.validate
ALTER TABLE "public"."orders" VALIDATE CONSTRAINT "orders_tenant_id_present";

-- enforce.orders.tenant_id.not_null
ALTER TABLE "public"."orders" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."orders" DROP CONSTRAINT "orders_tenant_id_present";

-- enforce.orders.orders_tenant_region_number_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "orders_tenant_region_number_unique" ON "public"."orders" USING btree ("tenant_id", "region", "number");

-- enforce.orders.orders_tenant_region_number_unique
ALTER TABLE "public"."orders" ADD CONSTRAINT "orders_tenant_region_number_unique" UNIQUE USING INDEX "orders_tenant_region_number_unique";

-- enforce.order_lines.order_lines_tenant_id_fk
ALTER TABLE "public"."order_lines" ADD CONSTRAINT "order_lines_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.order_lines.order_lines_tenant_id_fk.validate
ALTER TABLE "public"."order_lines" VALIDATE CONSTRAINT "order_lines_tenant_id_fk";

-- enforce.orders.orders_tenant_id_fk
ALTER TABLE "public"."orders" ADD CONSTRAINT "orders_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.orders.orders_tenant_id_fk.validate
ALTER TABLE "public"."orders" VALIDATE CONSTRAINT "orders_tenant_id_fk";

-- enforce.order_lines.order_lines_tenant_region_number_fk
ALTER TABLE "public"."order_lines" ADD CONSTRAINT "order_lines_tenant_region_number_fk" FOREIGN KEY ("tenant_id", "region", "number") REFERENCES "public"."orders" ("tenant_id", "region", "number") ON DELETE CASCADE NOT VALID;

-- enforce.order_lines.order_lines_tenant_region_number_fk.validate
ALTER TABLE "public"."order_lines" VALIDATE CONSTRAINT "order_lines_tenant_region_number_fk";

-- enforce.order_lines.order_lines_order_fkey.drop
ALTER TABLE "public"."order_lines" DROP CONSTRAINT "order_lines_order_fkey";

-- enforce.order_lines.order_lines_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "order_lines_tenant_id_idx" ON "public"."order_lines" USING btree ("tenant_id");

-- enforce.orders.orders_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "orders_tenant_id_idx" ON "public"."orders" USING btree ("tenant_id");

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

-- observe.order_lines.analyze
ANALYZE "public"."order_lines" ("tenant_id");

-- observe.order_lines.isolate
CREATE POLICY "tenant_isolation" ON "public"."order_lines" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."order_lines" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('order_lines'))) WITH CHECK ((SELECT tenantry.observe('order_lines')));
ALTER TABLE "public"."order_lines" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."order_lines" FORCE ROW LEVEL SECURITY;

-- observe.orders.analyze
ANALYZE "public"."orders" ("tenant_id");

-- observe.orders.isolate
CREATE POLICY "tenant_isolation" ON "public"."orders" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."orders" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('orders'))) WITH CHECK ((SELECT tenantry.observe('orders')));
ALTER TABLE "public"."orders" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."orders" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.order_lines.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."order_lines" TO "app_user";

-- observe.orders.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."orders" TO "app_user";

-- cutover.order_lines.observe
DROP POLICY IF EXISTS "observe" ON "public"."order_lines";

-- cutover.orders.observe
DROP POLICY IF EXISTS "observe" ON "public"."orders";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.order_lines.tenant_id.default
ALTER TABLE "public"."order_lines" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.orders.tenant_id.default
ALTER TABLE "public"."orders" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
