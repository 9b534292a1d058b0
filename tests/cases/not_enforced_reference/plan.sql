-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: books: foreign key books_author_fkey to authors is NOT ENFORCED, and so is what takes its place: a row may refer to another tenant's; enforce or drop it
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

-- columns.authors.tenant_id
ALTER TABLE "public"."authors" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."authors" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.books.tenant_id
ALTER TABLE "public"."books" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."books" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.authors.tenant_id.check
ALTER TABLE "public"."authors" ADD CONSTRAINT "authors_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.authors.tenant_id.validate
ALTER TABLE "public"."authors" VALIDATE CONSTRAINT "authors_tenant_id_present";

-- enforce.authors.tenant_id.not_null
ALTER TABLE "public"."authors" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."authors" DROP CONSTRAINT "authors_tenant_id_present";

-- enforce.books.tenant_id.check
ALTER TABLE "public"."books" ADD CONSTRAINT "books_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.books.tenant_id.validate
ALTER TABLE "public"."books" VALIDATE CONSTRAINT "books_tenant_id_present";

-- enforce.books.tenant_id.not_null
ALTER TABLE "public"."books" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."books" DROP CONSTRAINT "books_tenant_id_present";

-- enforce.authors.authors_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "authors_tenant_id_unique" ON "public"."authors" USING btree ("tenant_id", "id");

-- enforce.authors.authors_tenant_id_unique
ALTER TABLE "public"."authors" ADD CONSTRAINT "authors_tenant_id_unique" UNIQUE USING INDEX "authors_tenant_id_unique";

-- enforce.authors.authors_tenant_id_fk
ALTER TABLE "public"."authors" ADD CONSTRAINT "authors_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.authors.authors_tenant_id_fk.validate
ALTER TABLE "public"."authors" VALIDATE CONSTRAINT "authors_tenant_id_fk";

-- enforce.books.books_tenant_id_fk
ALTER TABLE "public"."books" ADD CONSTRAINT "books_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.books.books_tenant_id_fk.validate
ALTER TABLE "public"."books" VALIDATE CONSTRAINT "books_tenant_id_fk";

-- enforce.books.books_tenant_author_fk
ALTER TABLE "public"."books" ADD CONSTRAINT "books_tenant_author_fk" FOREIGN KEY ("tenant_id", "author_id") REFERENCES "public"."authors" ("tenant_id", "id") ON DELETE CASCADE NOT ENFORCED;

-- enforce.books.books_author_fkey.drop
ALTER TABLE "public"."books" DROP CONSTRAINT "books_author_fkey";

-- enforce.authors.authors_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "authors_tenant_id_idx" ON "public"."authors" USING btree ("tenant_id");

-- enforce.books.books_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "books_tenant_id_idx" ON "public"."books" USING btree ("tenant_id");

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

-- observe.authors.analyze
ANALYZE "public"."authors" ("tenant_id");

-- observe.authors.isolate
CREATE POLICY "tenant_isolation" ON "public"."authors" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."authors" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('authors'))) WITH CHECK ((SELECT tenantry.observe('authors')));
ALTER TABLE "public"."authors" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."authors" FORCE ROW LEVEL SECURITY;

-- observe.books.analyze
ANALYZE "public"."books" ("tenant_id");

-- observe.books.isolate
CREATE POLICY "tenant_isolation" ON "public"."books" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."books" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('books'))) WITH CHECK ((SELECT tenantry.observe('books')));
ALTER TABLE "public"."books" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."books" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.authors.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."authors" TO "app_user";

-- observe.books.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."books" TO "app_user";

-- cutover.authors.observe
DROP POLICY IF EXISTS "observe" ON "public"."authors";

-- cutover.books.observe
DROP POLICY IF EXISTS "observe" ON "public"."books";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.authors.tenant_id.default
ALTER TABLE "public"."authors" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.books.tenant_id.default
ALTER TABLE "public"."books" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
