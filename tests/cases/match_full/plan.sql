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

-- columns.people.tenant_id
ALTER TABLE "public"."people" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."people" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.places.tenant_id
ALTER TABLE "public"."places" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."places" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.visits.tenant_id
ALTER TABLE "public"."visits" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."visits" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.people.tenant_id.check
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.people.tenant_id.validate
ALTER TABLE "public"."people" VALIDATE CONSTRAINT "people_tenant_id_present";

-- enforce.people.tenant_id.not_null
ALTER TABLE "public"."people" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."people" DROP CONSTRAINT "people_tenant_id_present";

-- enforce.places.tenant_id.check
ALTER TABLE "public"."places" ADD CONSTRAINT "places_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.places.tenant_id.validate
ALTER TABLE "public"."places" VALIDATE CONSTRAINT "places_tenant_id_present";

-- enforce.places.tenant_id.not_null
ALTER TABLE "public"."places" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."places" DROP CONSTRAINT "places_tenant_id_present";

-- enforce.visits.tenant_id.check
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.visits.tenant_id.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_id_present";

-- enforce.visits.tenant_id.not_null
ALTER TABLE "public"."visits" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."visits" DROP CONSTRAINT "visits_tenant_id_present";

-- enforce.people.people_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "people_tenant_id_unique" ON "public"."people" USING btree ("tenant_id", "id");

-- enforce.people.people_tenant_id_unique
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_id_unique" UNIQUE USING INDEX "people_tenant_id_unique";

-- enforce.places.places_tenant_country_city_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "places_tenant_country_city_unique" ON "public"."places" USING btree ("tenant_id", "country", "city");

-- enforce.places.places_tenant_country_city_unique
ALTER TABLE "public"."places" ADD CONSTRAINT "places_tenant_country_city_unique" UNIQUE USING INDEX "places_tenant_country_city_unique";

-- enforce.people.people_tenant_id_fk
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.people.people_tenant_id_fk.validate
ALTER TABLE "public"."people" VALIDATE CONSTRAINT "people_tenant_id_fk";

-- enforce.places.places_tenant_id_fk
ALTER TABLE "public"."places" ADD CONSTRAINT "places_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.places.places_tenant_id_fk.validate
ALTER TABLE "public"."places" VALIDATE CONSTRAINT "places_tenant_id_fk";

-- enforce.visits.visits_tenant_id_fk
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.visits.visits_tenant_id_fk.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_id_fk";

-- enforce.people.people_tenant_boss_fk
ALTER TABLE "public"."people" ADD CONSTRAINT "people_tenant_boss_fk" FOREIGN KEY ("tenant_id", "boss") REFERENCES "public"."people" ("tenant_id", "id") NOT VALID;

-- enforce.people.people_tenant_boss_fk.validate
ALTER TABLE "public"."people" VALIDATE CONSTRAINT "people_tenant_boss_fk";

-- enforce.visits.visits_tenant_country_city_fk
ALTER TABLE "public"."visits" ADD CONSTRAINT "visits_tenant_country_city_fk" FOREIGN KEY ("tenant_id", "country", "city") REFERENCES "public"."places" ("tenant_id", "country", "city") ON DELETE CASCADE NOT VALID;

-- enforce.visits.visits_tenant_country_city_fk.validate
ALTER TABLE "public"."visits" VALIDATE CONSTRAINT "visits_tenant_country_city_fk";

-- enforce.people.people_boss_fkey.drop
ALTER TABLE "public"."people" DROP CONSTRAINT "people_boss_fkey";

-- enforce.visits.visits_place_fkey.drop
ALTER TABLE "public"."visits" DROP CONSTRAINT "visits_place_fkey";

-- enforce.people.people_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "people_tenant_id_idx" ON "public"."people" USING btree ("tenant_id");

-- enforce.places.places_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "places_tenant_id_idx" ON "public"."places" USING btree ("tenant_id");

-- enforce.visits.visits_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "visits_tenant_id_idx" ON "public"."visits" USING btree ("tenant_id");

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

-- observe.people.analyze
ANALYZE "public"."people" ("tenant_id");

-- observe.people.isolate
CREATE POLICY "tenant_isolation" ON "public"."people" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."people" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('people'))) WITH CHECK ((SELECT tenantry.observe('people')));
ALTER TABLE "public"."people" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."people" FORCE ROW LEVEL SECURITY;

-- observe.places.analyze
ANALYZE "public"."places" ("tenant_id");

-- observe.places.isolate
CREATE POLICY "tenant_isolation" ON "public"."places" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."places" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('places'))) WITH CHECK ((SELECT tenantry.observe('places')));
ALTER TABLE "public"."places" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."places" FORCE ROW LEVEL SECURITY;

-- observe.visits.analyze
ANALYZE "public"."visits" ("tenant_id");

-- observe.visits.isolate
CREATE POLICY "tenant_isolation" ON "public"."visits" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."visits" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('visits'))) WITH CHECK ((SELECT tenantry.observe('visits')));
ALTER TABLE "public"."visits" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."visits" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.people.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."people" TO "app_user";

-- observe.places.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."places" TO "app_user";

-- observe.visits.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."visits" TO "app_user";

-- cutover.people.observe
DROP POLICY IF EXISTS "observe" ON "public"."people";

-- cutover.places.observe
DROP POLICY IF EXISTS "observe" ON "public"."places";

-- cutover.visits.observe
DROP POLICY IF EXISTS "observe" ON "public"."visits";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.people.tenant_id.default
ALTER TABLE "public"."people" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.places.tenant_id.default
ALTER TABLE "public"."places" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.visits.tenant_id.default
ALTER TABLE "public"."visits" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
