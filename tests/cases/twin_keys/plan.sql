-- note: code to edit: ON CONFLICT (hall, place) on seats becomes ON CONFLICT (tenant_id, hall, place)
-- note: code to edit: ON CONFLICT (hall, place) on stands becomes ON CONFLICT (tenant_id, hall, place)
-- note: code to edit: what looks for seats_at_once in an error meets seats_tenant_hall_place_unique, without a DETAIL
-- note: code to edit: what looks for seats_in_the_end in an error meets seats_tenant_hall_place_unique2, without a DETAIL
-- note: code to edit: what looks for stands_in_the_end in an error meets stands_tenant_hall_place_unique, without a DETAIL
-- note: code to edit: what looks for stands_one_at_once in an error meets stands_tenant_hall_place_unique2, without a DETAIL
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

-- columns.seats.tenant_id
ALTER TABLE "public"."seats" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."seats" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.stands.tenant_id
ALTER TABLE "public"."stands" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."stands" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.seats.tenant_id.check
ALTER TABLE "public"."seats" ADD CONSTRAINT "seats_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.seats.tenant_id.validate
ALTER TABLE "public"."seats" VALIDATE CONSTRAINT "seats_tenant_id_present";

-- enforce.seats.tenant_id.not_null
ALTER TABLE "public"."seats" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."seats" DROP CONSTRAINT "seats_tenant_id_present";

-- enforce.stands.tenant_id.check
ALTER TABLE "public"."stands" ADD CONSTRAINT "stands_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.stands.tenant_id.validate
ALTER TABLE "public"."stands" VALIDATE CONSTRAINT "stands_tenant_id_present";

-- enforce.stands.tenant_id.not_null
ALTER TABLE "public"."stands" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."stands" DROP CONSTRAINT "stands_tenant_id_present";

-- enforce.seats_high.seats_high_tenant_id_hall_place_key.build
CREATE UNIQUE INDEX CONCURRENTLY "seats_high_tenant_id_hall_place_key" ON "public"."seats_high" USING btree ("tenant_id", "hall", "place");

-- enforce.seats_low.seats_low_tenant_id_hall_place_key.build
CREATE UNIQUE INDEX CONCURRENTLY "seats_low_tenant_id_hall_place_key" ON "public"."seats_low" USING btree ("tenant_id", "hall", "place");

-- enforce.seats.seats_tenant_hall_place_unique
ALTER TABLE "public"."seats_high" ADD CONSTRAINT "seats_high_tenant_id_hall_place_key" UNIQUE USING INDEX "seats_high_tenant_id_hall_place_key";
ALTER TABLE "public"."seats_low" ADD CONSTRAINT "seats_low_tenant_id_hall_place_key" UNIQUE USING INDEX "seats_low_tenant_id_hall_place_key";
ALTER TABLE "public"."seats" ADD CONSTRAINT "seats_tenant_hall_place_unique" UNIQUE ("tenant_id", "hall", "place");

-- enforce.seats_high.seats_high_tenant_id_hall_place_key1.build
CREATE UNIQUE INDEX CONCURRENTLY "seats_high_tenant_id_hall_place_key1" ON "public"."seats_high" USING btree ("tenant_id", "hall", "place");

-- enforce.seats_low.seats_low_tenant_id_hall_place_key1.build
CREATE UNIQUE INDEX CONCURRENTLY "seats_low_tenant_id_hall_place_key1" ON "public"."seats_low" USING btree ("tenant_id", "hall", "place");

-- enforce.seats.seats_tenant_hall_place_unique2
ALTER TABLE "public"."seats_high" ADD CONSTRAINT "seats_high_tenant_id_hall_place_key1" UNIQUE USING INDEX "seats_high_tenant_id_hall_place_key1" DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE "public"."seats_low" ADD CONSTRAINT "seats_low_tenant_id_hall_place_key1" UNIQUE USING INDEX "seats_low_tenant_id_hall_place_key1" DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE "public"."seats" ADD CONSTRAINT "seats_tenant_hall_place_unique2" UNIQUE ("tenant_id", "hall", "place") DEFERRABLE INITIALLY DEFERRED;

-- enforce.stands.stands_tenant_hall_place_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "stands_tenant_hall_place_unique" ON "public"."stands" USING btree ("tenant_id", "hall", "place");

-- enforce.stands.stands_tenant_hall_place_unique
ALTER TABLE "public"."stands" ADD CONSTRAINT "stands_tenant_hall_place_unique" UNIQUE USING INDEX "stands_tenant_hall_place_unique" DEFERRABLE;

-- enforce.stands.stands_tenant_hall_place_unique2.build
CREATE UNIQUE INDEX CONCURRENTLY "stands_tenant_hall_place_unique2" ON "public"."stands" USING btree ("tenant_id", "hall", "place");

-- enforce.stands.stands_tenant_hall_place_unique2
ALTER TABLE "public"."stands" ADD CONSTRAINT "stands_tenant_hall_place_unique2" UNIQUE USING INDEX "stands_tenant_hall_place_unique2";

-- enforce.seats.seats_tenant_id_fk
ALTER TABLE "public"."seats" ADD CONSTRAINT "seats_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.seats.seats_tenant_id_fk.validate
ALTER TABLE "public"."seats" VALIDATE CONSTRAINT "seats_tenant_id_fk";

-- enforce.stands.stands_tenant_id_fk
ALTER TABLE "public"."stands" ADD CONSTRAINT "stands_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.stands.stands_tenant_id_fk.validate
ALTER TABLE "public"."stands" VALIDATE CONSTRAINT "stands_tenant_id_fk";

-- enforce.seats_high.seats_high_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "seats_high_tenant_id_idx" ON "public"."seats_high" USING btree ("tenant_id");

-- enforce.seats_low.seats_low_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "seats_low_tenant_id_idx" ON "public"."seats_low" USING btree ("tenant_id");

-- enforce.seats.seats_tenant_id_idx.build
CREATE INDEX "seats_tenant_id_idx" ON "public"."seats" USING btree ("tenant_id");

-- enforce.stands.stands_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "stands_tenant_id_idx" ON "public"."stands" USING btree ("tenant_id");

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

-- observe.seats_low.analyze
ANALYZE "public"."seats_low" ("tenant_id");

-- observe.seats_low.isolate
CREATE POLICY "tenant_isolation" ON "public"."seats_low" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."seats_low" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('seats_low'))) WITH CHECK ((SELECT tenantry.observe('seats_low')));
ALTER TABLE "public"."seats_low" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."seats_low" FORCE ROW LEVEL SECURITY;

-- observe.seats_high.analyze
ANALYZE "public"."seats_high" ("tenant_id");

-- observe.seats_high.isolate
CREATE POLICY "tenant_isolation" ON "public"."seats_high" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."seats_high" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('seats_high'))) WITH CHECK ((SELECT tenantry.observe('seats_high')));
ALTER TABLE "public"."seats_high" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."seats_high" FORCE ROW LEVEL SECURITY;

-- observe.seats.isolate
CREATE POLICY "tenant_isolation" ON "public"."seats" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."seats" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('seats'))) WITH CHECK ((SELECT tenantry.observe('seats')));
ALTER TABLE "public"."seats" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."seats" FORCE ROW LEVEL SECURITY;

-- observe.stands.analyze
ANALYZE "public"."stands" ("tenant_id");

-- observe.stands.isolate
CREATE POLICY "tenant_isolation" ON "public"."stands" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."stands" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('stands'))) WITH CHECK ((SELECT tenantry.observe('stands')));
ALTER TABLE "public"."stands" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."stands" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.seats.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."seats" TO "app_user";

-- observe.stands.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."stands" TO "app_user";

-- cutover.seats.seats_in_the_end.drop
ALTER TABLE "public"."seats" DROP CONSTRAINT "seats_in_the_end";

-- cutover.seats.seats_at_once.drop
ALTER TABLE "public"."seats" DROP CONSTRAINT "seats_at_once";

-- cutover.stands.stands_in_the_end.drop
ALTER TABLE "public"."stands" DROP CONSTRAINT "stands_in_the_end";

-- cutover.stands.stands_one_at_once.drop
ALTER TABLE "public"."stands" DROP CONSTRAINT "stands_one_at_once";

-- cutover.seats.observe
DROP POLICY IF EXISTS "observe" ON "public"."seats";

-- cutover.seats_high.observe
DROP POLICY IF EXISTS "observe" ON "public"."seats_high";

-- cutover.seats_low.observe
DROP POLICY IF EXISTS "observe" ON "public"."seats_low";

-- cutover.stands.observe
DROP POLICY IF EXISTS "observe" ON "public"."stands";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.seats.tenant_id.default
ALTER TABLE "public"."seats" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.stands.tenant_id.default
ALTER TABLE "public"."stands" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
