-- note: code to edit: ON CONFLICT (code) on countries becomes ON CONFLICT (tenant_id, code)
-- note: code to edit: ON CONFLICT (country, grade) on country_grades becomes ON CONFLICT (tenant_id, country, grade)
-- note: code to edit: ON CONFLICT (grade) on grades becomes ON CONFLICT (tenant_id, grade)
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

-- columns.cities.tenant_id
ALTER TABLE "public"."cities" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."cities" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.countries.tenant_id
ALTER TABLE "public"."countries" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."countries" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.country_grades.tenant_id
ALTER TABLE "public"."country_grades" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."country_grades" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.grades.tenant_id
ALTER TABLE "public"."grades" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."grades" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.cities.tenant_id.check
ALTER TABLE "public"."cities" ADD CONSTRAINT "cities_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.cities.tenant_id.validate
ALTER TABLE "public"."cities" VALIDATE CONSTRAINT "cities_tenant_id_present";

-- enforce.cities.tenant_id.not_null
ALTER TABLE "public"."cities" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."cities" DROP CONSTRAINT "cities_tenant_id_present";

-- enforce.countries.tenant_id.check
ALTER TABLE "public"."countries" ADD CONSTRAINT "countries_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.countries.tenant_id.validate
ALTER TABLE "public"."countries" VALIDATE CONSTRAINT "countries_tenant_id_present";

-- enforce.countries.tenant_id.not_null
ALTER TABLE "public"."countries" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."countries" DROP CONSTRAINT "countries_tenant_id_present";

-- enforce.country_grades.tenant_id.check
ALTER TABLE "public"."country_grades" ADD CONSTRAINT "country_grades_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.country_grades.tenant_id.validate
ALTER TABLE "public"."country_grades" VALIDATE CONSTRAINT "country_grades_tenant_id_present";

-- enforce.country_grades.tenant_id.not_null
ALTER TABLE "public"."country_grades" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."country_grades" DROP CONSTRAINT "country_grades_tenant_id_present";

-- enforce.grades.tenant_id.check
ALTER TABLE "public"."grades" ADD CONSTRAINT "grades_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.grades.tenant_id.validate
ALTER TABLE "public"."grades" VALIDATE CONSTRAINT "grades_tenant_id_present";

-- enforce.grades.tenant_id.not_null
ALTER TABLE "public"."grades" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."grades" DROP CONSTRAINT "grades_tenant_id_present";

-- enforce.countries.countries_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "countries_pkey_tenant" ON "public"."countries" USING btree ("tenant_id", "code");

-- enforce.country_grades.country_grades_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "country_grades_pkey_tenant" ON "public"."country_grades" USING btree ("tenant_id", "country", "grade");

-- enforce.grades.grades_pk_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "grades_pk_tenant" ON "public"."grades" USING btree ("tenant_id", "grade");

-- enforce.cities.cities_tenant_id_fk
ALTER TABLE "public"."cities" ADD CONSTRAINT "cities_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.cities.cities_tenant_id_fk.validate
ALTER TABLE "public"."cities" VALIDATE CONSTRAINT "cities_tenant_id_fk";

-- enforce.countries.countries_tenant_id_fk
ALTER TABLE "public"."countries" ADD CONSTRAINT "countries_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.countries.countries_tenant_id_fk.validate
ALTER TABLE "public"."countries" VALIDATE CONSTRAINT "countries_tenant_id_fk";

-- enforce.country_grades.country_grades_tenant_id_fk
ALTER TABLE "public"."country_grades" ADD CONSTRAINT "country_grades_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.country_grades.country_grades_tenant_id_fk.validate
ALTER TABLE "public"."country_grades" VALIDATE CONSTRAINT "country_grades_tenant_id_fk";

-- enforce.grades.grades_tenant_id_fk
ALTER TABLE "public"."grades" ADD CONSTRAINT "grades_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.grades.grades_tenant_id_fk.validate
ALTER TABLE "public"."grades" VALIDATE CONSTRAINT "grades_tenant_id_fk";

-- enforce.cities.cities_tenant_country_fk
ALTER TABLE "public"."cities" ADD CONSTRAINT "cities_tenant_country_fk" FOREIGN KEY ("tenant_id", "country") REFERENCES "public"."countries" ("tenant_id", "code") ON UPDATE CASCADE NOT VALID;

-- enforce.cities.cities_tenant_country_fk.validate
ALTER TABLE "public"."cities" VALIDATE CONSTRAINT "cities_tenant_country_fk";

-- enforce.cities.cities_tenant_grade_fk
ALTER TABLE "public"."cities" ADD CONSTRAINT "cities_tenant_grade_fk" FOREIGN KEY ("tenant_id", "grade") REFERENCES "public"."grades" ("tenant_id", "grade") NOT VALID;

-- enforce.cities.cities_tenant_grade_fk.validate
ALTER TABLE "public"."cities" VALIDATE CONSTRAINT "cities_tenant_grade_fk";

-- enforce.country_grades.country_grades_tenant_country_fk
ALTER TABLE "public"."country_grades" ADD CONSTRAINT "country_grades_tenant_country_fk" FOREIGN KEY ("tenant_id", "country") REFERENCES "public"."countries" ("tenant_id", "code") NOT VALID;

-- enforce.country_grades.country_grades_tenant_country_fk.validate
ALTER TABLE "public"."country_grades" VALIDATE CONSTRAINT "country_grades_tenant_country_fk";

-- enforce.country_grades.country_grades_tenant_grade_fk
ALTER TABLE "public"."country_grades" ADD CONSTRAINT "country_grades_tenant_grade_fk" FOREIGN KEY ("tenant_id", "grade") REFERENCES "public"."grades" ("tenant_id", "grade") NOT VALID;

-- enforce.country_grades.country_grades_tenant_grade_fk.validate
ALTER TABLE "public"."country_grades" VALIDATE CONSTRAINT "country_grades_tenant_grade_fk";

-- enforce.cities.cities_country_fkey.drop
ALTER TABLE "public"."cities" DROP CONSTRAINT "cities_country_fkey";

-- enforce.cities.cities_grade_fkey.drop
ALTER TABLE "public"."cities" DROP CONSTRAINT "cities_grade_fkey";

-- enforce.country_grades.country_grades_country_fkey.drop
ALTER TABLE "public"."country_grades" DROP CONSTRAINT "country_grades_country_fkey";

-- enforce.country_grades.country_grades_grade_fkey.drop
ALTER TABLE "public"."country_grades" DROP CONSTRAINT "country_grades_grade_fkey";

-- enforce.cities.cities_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "cities_tenant_id_idx" ON "public"."cities" USING btree ("tenant_id");

-- enforce.countries.countries_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "countries_tenant_id_idx" ON "public"."countries" USING btree ("tenant_id");

-- enforce.country_grades.country_grades_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "country_grades_tenant_id_idx" ON "public"."country_grades" USING btree ("tenant_id");

-- enforce.grades.grades_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "grades_tenant_id_idx" ON "public"."grades" USING btree ("tenant_id");

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

-- observe.cities.analyze
ANALYZE "public"."cities" ("tenant_id");

-- observe.cities.isolate
CREATE POLICY "tenant_isolation" ON "public"."cities" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."cities" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('cities'))) WITH CHECK ((SELECT tenantry.observe('cities')));
ALTER TABLE "public"."cities" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."cities" FORCE ROW LEVEL SECURITY;

-- observe.countries.analyze
ANALYZE "public"."countries" ("tenant_id");

-- observe.countries.isolate
CREATE POLICY "tenant_isolation" ON "public"."countries" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."countries" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('countries'))) WITH CHECK ((SELECT tenantry.observe('countries')));
ALTER TABLE "public"."countries" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."countries" FORCE ROW LEVEL SECURITY;

-- observe.country_grades.analyze
ANALYZE "public"."country_grades" ("tenant_id");

-- observe.country_grades.isolate
CREATE POLICY "tenant_isolation" ON "public"."country_grades" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."country_grades" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('country_grades'))) WITH CHECK ((SELECT tenantry.observe('country_grades')));
ALTER TABLE "public"."country_grades" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."country_grades" FORCE ROW LEVEL SECURITY;

-- observe.grades.analyze
ANALYZE "public"."grades" ("tenant_id");

-- observe.grades.isolate
CREATE POLICY "tenant_isolation" ON "public"."grades" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."grades" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('grades'))) WITH CHECK ((SELECT tenantry.observe('grades')));
ALTER TABLE "public"."grades" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."grades" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.cities.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."cities" TO "app_user";

-- observe.countries.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."countries" TO "app_user";

-- observe.country_grades.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."country_grades" TO "app_user";

-- observe.grades.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."grades" TO "app_user";

-- cutover.countries.countries_pkey
ALTER TABLE "public"."countries" DROP CONSTRAINT "countries_pkey";
ALTER TABLE "public"."countries" ADD CONSTRAINT "countries_pkey" PRIMARY KEY USING INDEX "countries_pkey_tenant";
COMMENT ON CONSTRAINT "countries_pkey" ON "public"."countries" IS 'ISO 3166';

-- cutover.country_grades.country_grades_pkey
ALTER TABLE "public"."country_grades" DROP CONSTRAINT "country_grades_pkey";
ALTER TABLE "public"."country_grades" ADD CONSTRAINT "country_grades_pkey" PRIMARY KEY USING INDEX "country_grades_pkey_tenant";

-- cutover.grades.grades_pk
ALTER TABLE "public"."grades" DROP CONSTRAINT "grades_pk";
ALTER TABLE "public"."grades" ADD CONSTRAINT "grades_pk" PRIMARY KEY USING INDEX "grades_pk_tenant";

-- cutover.cities.observe
DROP POLICY IF EXISTS "observe" ON "public"."cities";

-- cutover.countries.observe
DROP POLICY IF EXISTS "observe" ON "public"."countries";

-- cutover.country_grades.observe
DROP POLICY IF EXISTS "observe" ON "public"."country_grades";

-- cutover.grades.observe
DROP POLICY IF EXISTS "observe" ON "public"."grades";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.cities.tenant_id.default
ALTER TABLE "public"."cities" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.countries.tenant_id.default
ALTER TABLE "public"."countries" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.country_grades.tenant_id.default
ALTER TABLE "public"."country_grades" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.grades.tenant_id.default
ALTER TABLE "public"."grades" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
