-- note: code to edit: ON CONFLICT (year, path) on entries becomes ON CONFLICT (tenant_id, year, path)
-- note: code to edit: ON CONFLICT (path) on entries becomes ON CONFLICT (tenant_id, path)
-- note: code to edit: ON CONFLICT (title, title, code) on entries becomes ON CONFLICT (tenant_id, title, title, code)
-- note: code to edit: what looks for entries_first in an error meets entries_tenant_year_path_unique, without a DETAIL
-- note: code to edit: what looks for entries_path in an error meets entries_tenant_path_unique, without a DETAIL
-- note: code to edit: what looks for entries_title in an error meets entries_tenant_title_title_code_unique, without a DETAIL
-- note: code to edit: what looks for entries_year in an error meets entries_tenant_year_path_unique2, without a DETAIL
-- note: code to edit: what looks for entries_year_last in an error meets entries_tenant_year_path_unique3, without a DETAIL
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

-- columns.entries.tenant_id
ALTER TABLE "public"."entries" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."entries" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.entries.tenant_id.check
ALTER TABLE "public"."entries" ADD CONSTRAINT "entries_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.entries.tenant_id.validate
ALTER TABLE "public"."entries" VALIDATE CONSTRAINT "entries_tenant_id_present";

-- enforce.entries.tenant_id.not_null
ALTER TABLE "public"."entries" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."entries" DROP CONSTRAINT "entries_tenant_id_present";

-- enforce.entries.entries_tenant_year_path_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "entries_tenant_year_path_unique" ON "public"."entries" USING btree ("tenant_id", "year" NULLS FIRST, "path" COLLATE pg_catalog."POSIX" DESC);

-- enforce.entries.entries_tenant_path_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "entries_tenant_path_unique" ON "public"."entries" USING btree ("tenant_id", "path" pg_catalog.text_pattern_ops);

-- enforce.entries.entries_tenant_title_title_code_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "entries_tenant_title_title_code_unique" ON "public"."entries" USING btree ("tenant_id", "title", "title" COLLATE pg_catalog."POSIX", "code" pg_catalog.varchar_pattern_ops);

-- enforce.entries.entries_tenant_year_path_unique2.build
CREATE UNIQUE INDEX CONCURRENTLY "entries_tenant_year_path_unique2" ON "public"."entries" USING btree ("tenant_id", "year" DESC, "path");

-- enforce.entries.entries_tenant_year_path_unique3.build
CREATE UNIQUE INDEX CONCURRENTLY "entries_tenant_year_path_unique3" ON "public"."entries" USING btree ("tenant_id", "year" DESC NULLS LAST, "path" DESC);

-- enforce.entries.entries_tenant_id_fk
ALTER TABLE "public"."entries" ADD CONSTRAINT "entries_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.entries.entries_tenant_id_fk.validate
ALTER TABLE "public"."entries" VALIDATE CONSTRAINT "entries_tenant_id_fk";

-- enforce.entries.entries_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "entries_tenant_id_idx" ON "public"."entries" USING btree ("tenant_id");

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

-- observe.entries.analyze
ANALYZE "public"."entries" ("tenant_id");

-- observe.entries.isolate
CREATE POLICY "tenant_isolation" ON "public"."entries" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."entries" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('entries'))) WITH CHECK ((SELECT tenantry.observe('entries')));
ALTER TABLE "public"."entries" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."entries" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.entries.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."entries" TO "app_user";

-- cutover.entries.entries_first.drop
DROP INDEX "public"."entries_first";

-- cutover.entries.entries_path.drop
DROP INDEX "public"."entries_path";

-- cutover.entries.entries_title.drop
DROP INDEX "public"."entries_title";

-- cutover.entries.entries_year.drop
DROP INDEX "public"."entries_year";

-- cutover.entries.entries_year_last.drop
DROP INDEX "public"."entries_year_last";

-- cutover.entries.observe
DROP POLICY IF EXISTS "observe" ON "public"."entries";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.entries.tenant_id.default
ALTER TABLE "public"."entries" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
