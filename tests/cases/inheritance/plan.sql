-- note: code to edit: ON CONFLICT (plate) on vans becomes ON CONFLICT (tenant_id, plate)
-- note: code to edit: what looks for vans_plate_key in an error meets vans_tenant_plate_unique, without a DETAIL
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

-- columns.assets.tenant_id
ALTER TABLE "public"."assets" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."assets" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.owners.tenant_id
ALTER TABLE "public"."owners" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."owners" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.trips.tenant_id
ALTER TABLE "public"."trips" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."trips" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.assets.tenant_id.check
ALTER TABLE "public"."assets" ADD CONSTRAINT "assets_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.assets.tenant_id.validate
ALTER TABLE "public"."assets" VALIDATE CONSTRAINT "assets_tenant_id_present";

-- enforce.assets.tenant_id.not_null
ALTER TABLE "public"."assets" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."assets" DROP CONSTRAINT "assets_tenant_id_present";

-- enforce.owners.tenant_id.check
ALTER TABLE "public"."owners" ADD CONSTRAINT "owners_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.owners.tenant_id.validate
ALTER TABLE "public"."owners" VALIDATE CONSTRAINT "owners_tenant_id_present";

-- enforce.owners.tenant_id.not_null
ALTER TABLE "public"."owners" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."owners" DROP CONSTRAINT "owners_tenant_id_present";

-- enforce.trips.tenant_id.check
ALTER TABLE "public"."trips" ADD CONSTRAINT "trips_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.trips.tenant_id.validate
ALTER TABLE "public"."trips" VALIDATE CONSTRAINT "trips_tenant_id_present";

-- enforce.trips.tenant_id.not_null
ALTER TABLE "public"."trips" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."trips" DROP CONSTRAINT "trips_tenant_id_present";

-- enforce.vans.vans_tenant_plate_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "vans_tenant_plate_unique" ON "public"."vans" USING btree ("tenant_id", "plate");

-- enforce.vans.vans_tenant_plate_unique
ALTER TABLE "public"."vans" ADD CONSTRAINT "vans_tenant_plate_unique" UNIQUE USING INDEX "vans_tenant_plate_unique";

-- enforce.owners.owners_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "owners_tenant_id_unique" ON "public"."owners" USING btree ("tenant_id", "id");

-- enforce.owners.owners_tenant_id_unique
ALTER TABLE "public"."owners" ADD CONSTRAINT "owners_tenant_id_unique" UNIQUE USING INDEX "owners_tenant_id_unique";

-- enforce.cars.cars_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "cars_tenant_id_unique" ON "public"."cars" USING btree ("tenant_id", "id");

-- enforce.cars.cars_tenant_id_unique
ALTER TABLE "public"."cars" ADD CONSTRAINT "cars_tenant_id_unique" UNIQUE USING INDEX "cars_tenant_id_unique";

-- enforce.assets.assets_tenant_id_fk
ALTER TABLE "public"."assets" ADD CONSTRAINT "assets_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.assets.assets_tenant_id_fk.validate
ALTER TABLE "public"."assets" VALIDATE CONSTRAINT "assets_tenant_id_fk";

-- enforce.cars.cars_tenant_id_fk
ALTER TABLE "public"."cars" ADD CONSTRAINT "cars_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.cars.cars_tenant_id_fk.validate
ALTER TABLE "public"."cars" VALIDATE CONSTRAINT "cars_tenant_id_fk";

-- enforce.houses.houses_tenant_id_fk
ALTER TABLE "public"."houses" ADD CONSTRAINT "houses_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.houses.houses_tenant_id_fk.validate
ALTER TABLE "public"."houses" VALIDATE CONSTRAINT "houses_tenant_id_fk";

-- enforce.vans.vans_tenant_id_fk
ALTER TABLE "public"."vans" ADD CONSTRAINT "vans_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.vans.vans_tenant_id_fk.validate
ALTER TABLE "public"."vans" VALIDATE CONSTRAINT "vans_tenant_id_fk";

-- enforce.owners.owners_tenant_id_fk
ALTER TABLE "public"."owners" ADD CONSTRAINT "owners_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.owners.owners_tenant_id_fk.validate
ALTER TABLE "public"."owners" VALIDATE CONSTRAINT "owners_tenant_id_fk";

-- enforce.trips.trips_tenant_id_fk
ALTER TABLE "public"."trips" ADD CONSTRAINT "trips_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.trips.trips_tenant_id_fk.validate
ALTER TABLE "public"."trips" VALIDATE CONSTRAINT "trips_tenant_id_fk";

-- enforce.cars.cars_tenant_owner_fk
ALTER TABLE "public"."cars" ADD CONSTRAINT "cars_tenant_owner_fk" FOREIGN KEY ("tenant_id", "owner_id") REFERENCES "public"."owners" ("tenant_id", "id") NOT VALID;

-- enforce.cars.cars_tenant_owner_fk.validate
ALTER TABLE "public"."cars" VALIDATE CONSTRAINT "cars_tenant_owner_fk";

-- enforce.trips.trips_tenant_car_fk
ALTER TABLE "public"."trips" ADD CONSTRAINT "trips_tenant_car_fk" FOREIGN KEY ("tenant_id", "car_id") REFERENCES "public"."cars" ("tenant_id", "id") NOT VALID;

-- enforce.trips.trips_tenant_car_fk.validate
ALTER TABLE "public"."trips" VALIDATE CONSTRAINT "trips_tenant_car_fk";

-- enforce.cars.cars_owner_fkey.drop
ALTER TABLE "public"."cars" DROP CONSTRAINT "cars_owner_fkey";

-- enforce.trips.trips_car_fkey.drop
ALTER TABLE "public"."trips" DROP CONSTRAINT "trips_car_fkey";

-- enforce.assets.assets_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "assets_tenant_id_idx" ON "public"."assets" USING btree ("tenant_id");

-- enforce.cars.cars_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "cars_tenant_id_idx" ON "public"."cars" USING btree ("tenant_id");

-- enforce.houses.houses_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "houses_tenant_id_idx" ON "public"."houses" USING btree ("tenant_id");

-- enforce.vans.vans_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "vans_tenant_id_idx" ON "public"."vans" USING btree ("tenant_id");

-- enforce.owners.owners_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "owners_tenant_id_idx" ON "public"."owners" USING btree ("tenant_id");

-- enforce.trips.trips_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "trips_tenant_id_idx" ON "public"."trips" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.cars.cars_plate_key.global
COMMENT ON CONSTRAINT "cars_plate_key" ON "public"."cars" IS 'Unique across tenants: plates are given out by the state';

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.vans.analyze
ANALYZE "public"."vans" ("tenant_id");

-- observe.vans.isolate
CREATE POLICY "tenant_isolation" ON "public"."vans" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."vans" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('vans'))) WITH CHECK ((SELECT tenantry.observe('vans')));
ALTER TABLE "public"."vans" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."vans" FORCE ROW LEVEL SECURITY;

-- observe.houses.analyze
ANALYZE "public"."houses" ("tenant_id");

-- observe.houses.isolate
CREATE POLICY "tenant_isolation" ON "public"."houses" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."houses" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('houses'))) WITH CHECK ((SELECT tenantry.observe('houses')));
ALTER TABLE "public"."houses" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."houses" FORCE ROW LEVEL SECURITY;

-- observe.cars.analyze
ANALYZE "public"."cars" ("tenant_id");

-- observe.cars.isolate
CREATE POLICY "tenant_isolation" ON "public"."cars" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."cars" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('cars'))) WITH CHECK ((SELECT tenantry.observe('cars')));
ALTER TABLE "public"."cars" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."cars" FORCE ROW LEVEL SECURITY;

-- observe.assets.analyze
ANALYZE "public"."assets" ("tenant_id");

-- observe.assets.isolate
CREATE POLICY "tenant_isolation" ON "public"."assets" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."assets" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('assets'))) WITH CHECK ((SELECT tenantry.observe('assets')));
ALTER TABLE "public"."assets" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."assets" FORCE ROW LEVEL SECURITY;

-- observe.owners.analyze
ANALYZE "public"."owners" ("tenant_id");

-- observe.owners.isolate
CREATE POLICY "tenant_isolation" ON "public"."owners" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."owners" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('owners'))) WITH CHECK ((SELECT tenantry.observe('owners')));
ALTER TABLE "public"."owners" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."owners" FORCE ROW LEVEL SECURITY;

-- observe.trips.analyze
ANALYZE "public"."trips" ("tenant_id");

-- observe.trips.isolate
CREATE POLICY "tenant_isolation" ON "public"."trips" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."trips" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('trips'))) WITH CHECK ((SELECT tenantry.observe('trips')));
ALTER TABLE "public"."trips" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."trips" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.assets.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."assets" TO "app_user";

-- observe.cars.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."cars" TO "app_user";

-- observe.houses.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."houses" TO "app_user";

-- observe.vans.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."vans" TO "app_user";

-- observe.owners.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."owners" TO "app_user";

-- observe.trips.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."trips" TO "app_user";

-- observe.assets_id_seq.grants
GRANT USAGE ON SEQUENCE "public"."assets_id_seq" TO "app_user";

-- cutover.vans.vans_plate_key.drop
ALTER TABLE "public"."vans" DROP CONSTRAINT "vans_plate_key";

-- cutover.assets.observe
DROP POLICY IF EXISTS "observe" ON "public"."assets";

-- cutover.cars.observe
DROP POLICY IF EXISTS "observe" ON "public"."cars";

-- cutover.houses.observe
DROP POLICY IF EXISTS "observe" ON "public"."houses";

-- cutover.vans.observe
DROP POLICY IF EXISTS "observe" ON "public"."vans";

-- cutover.owners.observe
DROP POLICY IF EXISTS "observe" ON "public"."owners";

-- cutover.trips.observe
DROP POLICY IF EXISTS "observe" ON "public"."trips";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.assets.tenant_id.default
ALTER TABLE "public"."assets" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.owners.tenant_id.default
ALTER TABLE "public"."owners" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.trips.tenant_id.default
ALTER TABLE "public"."trips" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
