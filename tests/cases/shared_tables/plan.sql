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

-- enforce.prices.isolate
ANALYZE "public"."prices" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."prices" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."prices" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."prices" FORCE ROW LEVEL SECURITY;

-- harden.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- harden.prices.tenant_id.default
ALTER TABLE "public"."prices" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.prices.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."prices" TO "app_user";

-- harden.currencies.grants
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "public"."currencies" FROM "app_user";
REVOKE INSERT ON TABLE "public"."currencies" FROM PUBLIC;

-- harden.rates.grants
REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "public"."rates" FROM "app_user";
