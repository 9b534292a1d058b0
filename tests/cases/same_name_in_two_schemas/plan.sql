-- note: code to edit: ON CONFLICT (code) on items becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: function sales.touch() says ON CONFLICT on items_code_key of items
-- note: code to edit: ON CONFLICT (code) on sales.items becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: function sales.touch() says ON CONFLICT on items_code_key of sales.items
-- note: code to edit: what looks for items_code_key in an error meets items_tenant_code_unique, without a DETAIL
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

-- columns.items.tenant_id
ALTER TABLE "public"."items" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."items" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.sales.items.tenant_id
ALTER TABLE "sales"."items" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "sales"."items" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.items.tenant_id.check
ALTER TABLE "public"."items" ADD CONSTRAINT "items_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.items.tenant_id.validate
ALTER TABLE "public"."items" VALIDATE CONSTRAINT "items_tenant_id_present";

-- enforce.items.tenant_id.not_null
ALTER TABLE "public"."items" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."items" DROP CONSTRAINT "items_tenant_id_present";

-- enforce.sales.items.tenant_id.check
ALTER TABLE "sales"."items" ADD CONSTRAINT "items_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.sales.items.tenant_id.validate
ALTER TABLE "sales"."items" VALIDATE CONSTRAINT "items_tenant_id_present";

-- enforce.sales.items.tenant_id.not_null
ALTER TABLE "sales"."items" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "sales"."items" DROP CONSTRAINT "items_tenant_id_present";

-- enforce.items.items_tenant_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "items_tenant_code_unique" ON "public"."items" USING btree ("tenant_id", "code");

-- enforce.items.items_tenant_code_unique
ALTER TABLE "public"."items" ADD CONSTRAINT "items_tenant_code_unique" UNIQUE USING INDEX "items_tenant_code_unique";

-- enforce.sales.items.items_tenant_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "items_tenant_code_unique" ON "sales"."items" USING btree ("tenant_id", "code");

-- enforce.sales.items.items_tenant_code_unique
ALTER TABLE "sales"."items" ADD CONSTRAINT "items_tenant_code_unique" UNIQUE USING INDEX "items_tenant_code_unique";

-- enforce.items.items_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "items_tenant_id_unique" ON "public"."items" USING btree ("tenant_id", "id");

-- enforce.items.items_tenant_id_unique
ALTER TABLE "public"."items" ADD CONSTRAINT "items_tenant_id_unique" UNIQUE USING INDEX "items_tenant_id_unique";

-- enforce.items.items_tenant_id_fk
ALTER TABLE "public"."items" ADD CONSTRAINT "items_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.items.items_tenant_id_fk.validate
ALTER TABLE "public"."items" VALIDATE CONSTRAINT "items_tenant_id_fk";

-- enforce.sales.items.items_tenant_id_fk
ALTER TABLE "sales"."items" ADD CONSTRAINT "items_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.sales.items.items_tenant_id_fk.validate
ALTER TABLE "sales"."items" VALIDATE CONSTRAINT "items_tenant_id_fk";

-- enforce.sales.items.items_tenant_code_fk
ALTER TABLE "sales"."items" ADD CONSTRAINT "items_tenant_code_fk" FOREIGN KEY ("tenant_id", "code") REFERENCES "public"."items" ("tenant_id", "code") NOT VALID;

-- enforce.sales.items.items_tenant_code_fk.validate
ALTER TABLE "sales"."items" VALIDATE CONSTRAINT "items_tenant_code_fk";

-- enforce.sales.items.items_tenant_item_fk
ALTER TABLE "sales"."items" ADD CONSTRAINT "items_tenant_item_fk" FOREIGN KEY ("tenant_id", "item_id") REFERENCES "public"."items" ("tenant_id", "id") NOT VALID;

-- enforce.sales.items.items_tenant_item_fk.validate
ALTER TABLE "sales"."items" VALIDATE CONSTRAINT "items_tenant_item_fk";

-- enforce.sales.items.items_code_fkey.drop
ALTER TABLE "sales"."items" DROP CONSTRAINT "items_code_fkey";

-- enforce.sales.items.items_item_id_fkey.drop
ALTER TABLE "sales"."items" DROP CONSTRAINT "items_item_id_fkey";

-- enforce.items.items_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "items_tenant_id_idx" ON "public"."items" USING btree ("tenant_id");

-- enforce.sales.items.items_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "items_tenant_id_idx" ON "sales"."items" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.schema.sales.app_user
GRANT USAGE ON SCHEMA "sales" TO "app_user";

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.items.analyze
ANALYZE "public"."items" ("tenant_id");

-- observe.items.isolate
CREATE POLICY "tenant_isolation" ON "public"."items" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."items" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('items'))) WITH CHECK ((SELECT tenantry.observe('items')));
ALTER TABLE "public"."items" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."items" FORCE ROW LEVEL SECURITY;

-- observe.sales.items.analyze
ANALYZE "sales"."items" ("tenant_id");

-- observe.sales.items.isolate
CREATE POLICY "tenant_isolation" ON "sales"."items" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "sales"."items" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('sales.items'))) WITH CHECK ((SELECT tenantry.observe('sales.items')));
ALTER TABLE "sales"."items" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "sales"."items" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.items.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."items" TO "app_user";

-- observe.sales.items.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "sales"."items" TO "app_user";

-- cutover.items.items_code_key.drop
ALTER TABLE "public"."items" DROP CONSTRAINT "items_code_key";

-- cutover.sales.items.items_code_key.drop
ALTER TABLE "sales"."items" DROP CONSTRAINT "items_code_key";

-- cutover.items.observe
DROP POLICY IF EXISTS "observe" ON "public"."items";

-- cutover.sales.items.observe
DROP POLICY IF EXISTS "observe" ON "sales"."items";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.items.tenant_id.default
ALTER TABLE "public"."items" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.sales.items.tenant_id.default
ALTER TABLE "sales"."items" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
