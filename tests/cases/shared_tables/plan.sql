-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT

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
REVOKE ALL ON TABLE "public"."tenants" FROM "app_user";
REVOKE ALL ON TABLE "public"."tenants" FROM PUBLIC;

-- tenants.default
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('first', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.prices.tenant_id
ALTER TABLE "public"."prices" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."prices" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.prices.tenant_id.check
ALTER TABLE "public"."prices" ADD CONSTRAINT "prices_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.prices.tenant_id.validate
ALTER TABLE "public"."prices" VALIDATE CONSTRAINT "prices_tenant_id_present";

-- enforce.prices.tenant_id.not_null
ALTER TABLE "public"."prices" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."prices" DROP CONSTRAINT "prices_tenant_id_present";

-- enforce.prices.prices_tenant_id_fk
ALTER TABLE "public"."prices" ADD CONSTRAINT "prices_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.prices.prices_tenant_id_fk.validate
ALTER TABLE "public"."prices" VALIDATE CONSTRAINT "prices_tenant_id_fk";

-- enforce.prices.prices_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "prices_tenant_id_idx" ON "public"."prices" USING btree ("tenant_id");

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.prices.analyze
ANALYZE "public"."prices" ("tenant_id");

-- observe.prices.isolate
CREATE POLICY "tenant_isolation" ON "public"."prices" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."prices" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('prices'))) WITH CHECK ((SELECT tenantry.observe('prices')));
ALTER TABLE "public"."prices" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."prices" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.prices.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."prices" TO "app_user";

-- observe.currencies.grants
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "public"."currencies" FROM "app_user";
REVOKE INSERT, UPDATE ON TABLE "public"."currencies" FROM PUBLIC;

-- observe.old_currencies.grants
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "public"."old_currencies" FROM "app_user";

-- observe.rates.grants
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "public"."rates" FROM "app_user";

-- observe.rates_rest.grants
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "public"."rates_rest" FROM "app_user";

-- cutover.prices.observe
DROP POLICY IF EXISTS "observe" ON "public"."prices";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.prices.tenant_id.default
ALTER TABLE "public"."prices" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
