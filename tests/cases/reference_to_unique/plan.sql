-- note: code to edit: ON CONFLICT (shelf, place) on products becomes ON CONFLICT (tenant_id, shelf, place)
-- note: code to edit: ON CONFLICT (sku) on products becomes ON CONFLICT (tenant_id, sku)
-- note: code to edit: ON CONFLICT (serial_number) on products becomes ON CONFLICT (tenant_id, serial_number)
-- note: code to edit: what looks for products_shelf_place_key in an error meets products_tenant_shelf_place_unique, without a DETAIL
-- note: code to edit: what looks for products_sku_key in an error meets products_tenant_sku_unique, without a DETAIL
-- note: code to edit: what looks for products_serial_number in an error meets products_tenant_serial_number_unique, without a DETAIL
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

-- columns.products.tenant_id
ALTER TABLE "public"."products" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."products" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.stock.tenant_id
ALTER TABLE "public"."stock" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."stock" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.products.tenant_id.check
ALTER TABLE "public"."products" ADD CONSTRAINT "products_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.products.tenant_id.validate
ALTER TABLE "public"."products" VALIDATE CONSTRAINT "products_tenant_id_present";

-- enforce.products.tenant_id.not_null
ALTER TABLE "public"."products" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."products" DROP CONSTRAINT "products_tenant_id_present";

-- enforce.stock.tenant_id.check
ALTER TABLE "public"."stock" ADD CONSTRAINT "stock_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.stock.tenant_id.validate
ALTER TABLE "public"."stock" VALIDATE CONSTRAINT "stock_tenant_id_present";

-- enforce.stock.tenant_id.not_null
ALTER TABLE "public"."stock" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."stock" DROP CONSTRAINT "stock_tenant_id_present";

-- enforce.products.products_tenant_shelf_place_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "products_tenant_shelf_place_unique" ON "public"."products" USING btree ("tenant_id", "shelf", "place");

-- enforce.products.products_tenant_shelf_place_unique
ALTER TABLE "public"."products" ADD CONSTRAINT "products_tenant_shelf_place_unique" UNIQUE USING INDEX "products_tenant_shelf_place_unique";

-- enforce.products.products_tenant_sku_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "products_tenant_sku_unique" ON "public"."products" USING btree ("tenant_id", "sku");

-- enforce.products.products_tenant_sku_unique
ALTER TABLE "public"."products" ADD CONSTRAINT "products_tenant_sku_unique" UNIQUE USING INDEX "products_tenant_sku_unique";

-- enforce.products.products_tenant_serial_number_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "products_tenant_serial_number_unique" ON "public"."products" USING btree ("tenant_id", "serial_number");

-- enforce.products.products_tenant_barcode_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "products_tenant_barcode_unique" ON "public"."products" USING btree ("tenant_id", "barcode");

-- enforce.products.products_tenant_barcode_unique
ALTER TABLE "public"."products" ADD CONSTRAINT "products_tenant_barcode_unique" UNIQUE USING INDEX "products_tenant_barcode_unique";

-- enforce.products.products_tenant_id_fk
ALTER TABLE "public"."products" ADD CONSTRAINT "products_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.products.products_tenant_id_fk.validate
ALTER TABLE "public"."products" VALIDATE CONSTRAINT "products_tenant_id_fk";

-- enforce.stock.stock_tenant_id_fk
ALTER TABLE "public"."stock" ADD CONSTRAINT "stock_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.stock.stock_tenant_id_fk.validate
ALTER TABLE "public"."stock" VALIDATE CONSTRAINT "stock_tenant_id_fk";

-- enforce.stock.stock_tenant_barcode_fk
ALTER TABLE "public"."stock" ADD CONSTRAINT "stock_tenant_barcode_fk" FOREIGN KEY ("tenant_id", "barcode") REFERENCES "public"."products" ("tenant_id", "barcode") ON DELETE SET NULL ("barcode") NOT VALID;

-- enforce.stock.stock_tenant_barcode_fk.validate
ALTER TABLE "public"."stock" VALIDATE CONSTRAINT "stock_tenant_barcode_fk";

-- enforce.stock.stock_tenant_place_shelf_fk
ALTER TABLE "public"."stock" ADD CONSTRAINT "stock_tenant_place_shelf_fk" FOREIGN KEY ("tenant_id", "place", "shelf") REFERENCES "public"."products" ("tenant_id", "place", "shelf") NOT VALID;

-- enforce.stock.stock_tenant_place_shelf_fk.validate
ALTER TABLE "public"."stock" VALIDATE CONSTRAINT "stock_tenant_place_shelf_fk";

-- enforce.stock.stock_tenant_serial_number_fk
ALTER TABLE "public"."stock" ADD CONSTRAINT "stock_tenant_serial_number_fk" FOREIGN KEY ("tenant_id", "serial_number") REFERENCES "public"."products" ("tenant_id", "serial_number") NOT VALID;

-- enforce.stock.stock_tenant_serial_number_fk.validate
ALTER TABLE "public"."stock" VALIDATE CONSTRAINT "stock_tenant_serial_number_fk";

-- enforce.stock.stock_tenant_sku_fk
ALTER TABLE "public"."stock" ADD CONSTRAINT "stock_tenant_sku_fk" FOREIGN KEY ("tenant_id", "sku") REFERENCES "public"."products" ("tenant_id", "sku") ON UPDATE CASCADE NOT VALID;

-- enforce.stock.stock_tenant_sku_fk.validate
ALTER TABLE "public"."stock" VALIDATE CONSTRAINT "stock_tenant_sku_fk";

-- enforce.stock.stock_barcode_fkey.drop
ALTER TABLE "public"."stock" DROP CONSTRAINT "stock_barcode_fkey";

-- enforce.stock.stock_place_fkey.drop
ALTER TABLE "public"."stock" DROP CONSTRAINT "stock_place_fkey";

-- enforce.stock.stock_serial_number_fkey.drop
ALTER TABLE "public"."stock" DROP CONSTRAINT "stock_serial_number_fkey";

-- enforce.stock.stock_sku_fkey.drop
ALTER TABLE "public"."stock" DROP CONSTRAINT "stock_sku_fkey";

-- enforce.products.products_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "products_tenant_id_idx" ON "public"."products" USING btree ("tenant_id");

-- enforce.stock.stock_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "stock_tenant_id_idx" ON "public"."stock" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.products.products_barcode_key.global
COMMENT ON CONSTRAINT "products_barcode_key" ON "public"."products" IS 'Unique across tenants: a scanner knows the barcode before it knows the tenant';

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.products.analyze
ANALYZE "public"."products" ("tenant_id");

-- observe.products.isolate
CREATE POLICY "tenant_isolation" ON "public"."products" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."products" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('products'))) WITH CHECK ((SELECT tenantry.observe('products')));
ALTER TABLE "public"."products" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."products" FORCE ROW LEVEL SECURITY;

-- observe.stock.analyze
ANALYZE "public"."stock" ("tenant_id");

-- observe.stock.isolate
CREATE POLICY "tenant_isolation" ON "public"."stock" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."stock" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('stock'))) WITH CHECK ((SELECT tenantry.observe('stock')));
ALTER TABLE "public"."stock" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."stock" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.products.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."products" TO "app_user";

-- observe.stock.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."stock" TO "app_user";

-- cutover.products.products_shelf_place_key.drop
ALTER TABLE "public"."products" DROP CONSTRAINT "products_shelf_place_key";

-- cutover.products.products_sku_key.drop
ALTER TABLE "public"."products" DROP CONSTRAINT "products_sku_key";

-- cutover.products.products_serial_number.drop
DROP INDEX "public"."products_serial_number";

-- cutover.products.observe
DROP POLICY IF EXISTS "observe" ON "public"."products";

-- cutover.stock.observe
DROP POLICY IF EXISTS "observe" ON "public"."stock";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.products.tenant_id.default
ALTER TABLE "public"."products" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.stock.tenant_id.default
ALTER TABLE "public"."stock" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
