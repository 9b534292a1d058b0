-- note: code to edit: ON CONFLICT (number) on articles becomes ON CONFLICT (tenant_id, number)
-- note: code to edit: ON CONFLICT (name) on articles becomes ON CONFLICT (tenant_id, name)
-- note: code to edit: what looks for articles_number_key in an error meets articles_tenant_number_unique, without a DETAIL
-- note: code to edit: what looks for articles_name in an error meets articles_tenant_name_unique, without a DETAIL
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

-- columns.articles.tenant_id
ALTER TABLE "public"."articles" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."articles" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.offers.tenant_id
ALTER TABLE "public"."offers" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."offers" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.articles.tenant_id.check
ALTER TABLE "public"."articles" ADD CONSTRAINT "articles_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.articles.tenant_id.validate
ALTER TABLE "public"."articles" VALIDATE CONSTRAINT "articles_tenant_id_present";

-- enforce.articles.tenant_id.not_null
ALTER TABLE "public"."articles" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."articles" DROP CONSTRAINT "articles_tenant_id_present";

-- enforce.offers.tenant_id.check
ALTER TABLE "public"."offers" ADD CONSTRAINT "offers_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.offers.tenant_id.validate
ALTER TABLE "public"."offers" VALIDATE CONSTRAINT "offers_tenant_id_present";

-- enforce.offers.tenant_id.not_null
ALTER TABLE "public"."offers" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."offers" DROP CONSTRAINT "offers_tenant_id_present";

-- enforce.articles.articles_tenant_number_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "articles_tenant_number_unique" ON "public"."articles" USING btree ("tenant_id", "number") INCLUDE ("name", "price");

-- enforce.articles.articles_tenant_number_unique
ALTER TABLE "public"."articles" ADD CONSTRAINT "articles_tenant_number_unique" UNIQUE USING INDEX "articles_tenant_number_unique";

-- enforce.articles.articles_tenant_name_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "articles_tenant_name_unique" ON "public"."articles" USING btree ("tenant_id", "name") INCLUDE ("price") WHERE ((price > (0)::numeric));

-- enforce.articles.articles_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "articles_tenant_id_unique" ON "public"."articles" USING btree ("tenant_id", "id");

-- enforce.articles.articles_tenant_id_unique
ALTER TABLE "public"."articles" ADD CONSTRAINT "articles_tenant_id_unique" UNIQUE USING INDEX "articles_tenant_id_unique";

-- enforce.articles.articles_tenant_id_fk
ALTER TABLE "public"."articles" ADD CONSTRAINT "articles_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.articles.articles_tenant_id_fk.validate
ALTER TABLE "public"."articles" VALIDATE CONSTRAINT "articles_tenant_id_fk";

-- enforce.offers.offers_tenant_id_fk
ALTER TABLE "public"."offers" ADD CONSTRAINT "offers_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.offers.offers_tenant_id_fk.validate
ALTER TABLE "public"."offers" VALIDATE CONSTRAINT "offers_tenant_id_fk";

-- enforce.offers.offers_tenant_article_fk
ALTER TABLE "public"."offers" ADD CONSTRAINT "offers_tenant_article_fk" FOREIGN KEY ("tenant_id", "article") REFERENCES "public"."articles" ("tenant_id", "id") NOT VALID;

-- enforce.offers.offers_tenant_article_fk.validate
ALTER TABLE "public"."offers" VALIDATE CONSTRAINT "offers_tenant_article_fk";

-- enforce.offers.offers_tenant_number_fk
ALTER TABLE "public"."offers" ADD CONSTRAINT "offers_tenant_number_fk" FOREIGN KEY ("tenant_id", "number") REFERENCES "public"."articles" ("tenant_id", "number") NOT VALID;

-- enforce.offers.offers_tenant_number_fk.validate
ALTER TABLE "public"."offers" VALIDATE CONSTRAINT "offers_tenant_number_fk";

-- enforce.offers.offers_article_fkey.drop
ALTER TABLE "public"."offers" DROP CONSTRAINT "offers_article_fkey";

-- enforce.offers.offers_number_fkey.drop
ALTER TABLE "public"."offers" DROP CONSTRAINT "offers_number_fkey";

-- enforce.articles.articles_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "articles_tenant_id_idx" ON "public"."articles" USING btree ("tenant_id");

-- enforce.offers.offers_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "offers_tenant_id_idx" ON "public"."offers" USING btree ("tenant_id");

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

-- observe.articles.analyze
ANALYZE "public"."articles" ("tenant_id");

-- observe.articles.isolate
CREATE POLICY "tenant_isolation" ON "public"."articles" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."articles" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('articles'))) WITH CHECK ((SELECT tenantry.observe('articles')));
ALTER TABLE "public"."articles" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."articles" FORCE ROW LEVEL SECURITY;

-- observe.offers.analyze
ANALYZE "public"."offers" ("tenant_id");

-- observe.offers.isolate
CREATE POLICY "tenant_isolation" ON "public"."offers" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."offers" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('offers'))) WITH CHECK ((SELECT tenantry.observe('offers')));
ALTER TABLE "public"."offers" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."offers" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.articles.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."articles" TO "app_user";

-- observe.offers.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."offers" TO "app_user";

-- cutover.articles.articles_number_key.drop
ALTER TABLE "public"."articles" DROP CONSTRAINT "articles_number_key";

-- cutover.articles.articles_name.drop
DROP INDEX "public"."articles_name";

-- cutover.articles.observe
DROP POLICY IF EXISTS "observe" ON "public"."articles";

-- cutover.offers.observe
DROP POLICY IF EXISTS "observe" ON "public"."offers";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.articles.tenant_id.default
ALTER TABLE "public"."articles" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.offers.tenant_id.default
ALTER TABLE "public"."offers" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
