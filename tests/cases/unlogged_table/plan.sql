-- note: code to edit: ON CONFLICT (code) on carts becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: what looks for carts_code_key in an error meets carts_tenant_code_unique, without a DETAIL
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

-- columns.cart_lines.tenant_id
ALTER TABLE "public"."cart_lines" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."cart_lines" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.carts.tenant_id
ALTER TABLE "public"."carts" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."carts" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.cart_lines.tenant_id.check
ALTER TABLE "public"."cart_lines" ADD CONSTRAINT "cart_lines_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.cart_lines.tenant_id.validate
ALTER TABLE "public"."cart_lines" VALIDATE CONSTRAINT "cart_lines_tenant_id_present";

-- enforce.cart_lines.tenant_id.not_null
ALTER TABLE "public"."cart_lines" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."cart_lines" DROP CONSTRAINT "cart_lines_tenant_id_present";

-- enforce.carts.tenant_id.check
ALTER TABLE "public"."carts" ADD CONSTRAINT "carts_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.carts.tenant_id.validate
ALTER TABLE "public"."carts" VALIDATE CONSTRAINT "carts_tenant_id_present";

-- enforce.carts.tenant_id.not_null
ALTER TABLE "public"."carts" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."carts" DROP CONSTRAINT "carts_tenant_id_present";

-- enforce.carts.carts_tenant_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "carts_tenant_code_unique" ON "public"."carts" USING btree ("tenant_id", "code");

-- enforce.carts.carts_tenant_code_unique
ALTER TABLE "public"."carts" ADD CONSTRAINT "carts_tenant_code_unique" UNIQUE USING INDEX "carts_tenant_code_unique";

-- enforce.carts.carts_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "carts_tenant_id_unique" ON "public"."carts" USING btree ("tenant_id", "id");

-- enforce.carts.carts_tenant_id_unique
ALTER TABLE "public"."carts" ADD CONSTRAINT "carts_tenant_id_unique" UNIQUE USING INDEX "carts_tenant_id_unique";

-- enforce.cart_lines.cart_lines_tenant_id_fk
ALTER TABLE "public"."cart_lines" ADD CONSTRAINT "cart_lines_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.cart_lines.cart_lines_tenant_id_fk.validate
ALTER TABLE "public"."cart_lines" VALIDATE CONSTRAINT "cart_lines_tenant_id_fk";

-- enforce.carts.carts_tenant_id_fk
ALTER TABLE "public"."carts" ADD CONSTRAINT "carts_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.carts.carts_tenant_id_fk.validate
ALTER TABLE "public"."carts" VALIDATE CONSTRAINT "carts_tenant_id_fk";

-- enforce.cart_lines.cart_lines_tenant_cart_fk
ALTER TABLE "public"."cart_lines" ADD CONSTRAINT "cart_lines_tenant_cart_fk" FOREIGN KEY ("tenant_id", "cart_id") REFERENCES "public"."carts" ("tenant_id", "id") ON DELETE CASCADE NOT VALID;

-- enforce.cart_lines.cart_lines_tenant_cart_fk.validate
ALTER TABLE "public"."cart_lines" VALIDATE CONSTRAINT "cart_lines_tenant_cart_fk";

-- enforce.cart_lines.cart_lines_cart_id_fkey.drop
ALTER TABLE "public"."cart_lines" DROP CONSTRAINT "cart_lines_cart_id_fkey";

-- enforce.cart_lines.cart_lines_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "cart_lines_tenant_id_idx" ON "public"."cart_lines" USING btree ("tenant_id");

-- enforce.carts.carts_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "carts_tenant_id_idx" ON "public"."carts" USING btree ("tenant_id");

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

-- observe.cart_lines.analyze
ANALYZE "public"."cart_lines" ("tenant_id");

-- observe.cart_lines.isolate
CREATE POLICY "tenant_isolation" ON "public"."cart_lines" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."cart_lines" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('cart_lines'))) WITH CHECK ((SELECT tenantry.observe('cart_lines')));
ALTER TABLE "public"."cart_lines" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."cart_lines" FORCE ROW LEVEL SECURITY;

-- observe.carts.analyze
ANALYZE "public"."carts" ("tenant_id");

-- observe.carts.isolate
CREATE POLICY "tenant_isolation" ON "public"."carts" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."carts" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('carts'))) WITH CHECK ((SELECT tenantry.observe('carts')));
ALTER TABLE "public"."carts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."carts" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.cart_lines.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."cart_lines" TO "app_user";

-- observe.carts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."carts" TO "app_user";

-- cutover.carts.carts_code_key.drop
ALTER TABLE "public"."carts" DROP CONSTRAINT "carts_code_key";

-- cutover.cart_lines.observe
DROP POLICY IF EXISTS "observe" ON "public"."cart_lines";

-- cutover.carts.observe
DROP POLICY IF EXISTS "observe" ON "public"."carts";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.cart_lines.tenant_id.default
ALTER TABLE "public"."cart_lines" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.carts.tenant_id.default
ALTER TABLE "public"."carts" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
