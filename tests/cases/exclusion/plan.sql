-- note: code to edit: what looks for bookings_code_excl in an error meets bookings_tenant_code_excl, without a DETAIL
-- note: code to edit: what looks for bookings_late_excl in an error meets bookings_tenant_during_room_excl, without a DETAIL
-- note: code to edit: what looks for bookings_room_excl in an error meets bookings_tenant_room_during_excl, without a DETAIL
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

-- columns.bookings.tenant_id
ALTER TABLE "public"."bookings" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."bookings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.bookings.tenant_id.check
ALTER TABLE "public"."bookings" ADD CONSTRAINT "bookings_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.bookings.tenant_id.validate
ALTER TABLE "public"."bookings" VALIDATE CONSTRAINT "bookings_tenant_id_present";

-- enforce.bookings.tenant_id.not_null
ALTER TABLE "public"."bookings" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."bookings" DROP CONSTRAINT "bookings_tenant_id_present";

-- enforce.bookings.bookings_tenant_code_excl
ALTER TABLE "public"."bookings" ADD CONSTRAINT "bookings_tenant_code_excl" EXCLUDE USING btree ("tenant_id" WITH OPERATOR(pg_catalog.=), "code" WITH OPERATOR(pg_catalog.=));

-- enforce.bookings.bookings_tenant_during_room_excl
ALTER TABLE "public"."bookings" ADD CONSTRAINT "bookings_tenant_during_room_excl" EXCLUDE USING gist ("tenant_id" WITH OPERATOR(pg_catalog.=), "during" WITH OPERATOR(pg_catalog.&&), "room" WITH OPERATOR(pg_catalog.=)) WITH (fillfactor=80) WHERE ((room > 10)) DEFERRABLE INITIALLY DEFERRED;

-- enforce.bookings.bookings_tenant_room_during_excl
ALTER TABLE "public"."bookings" ADD CONSTRAINT "bookings_tenant_room_during_excl" EXCLUDE USING gist ("tenant_id" WITH OPERATOR(pg_catalog.=), "room" WITH OPERATOR(pg_catalog.=), "during" WITH OPERATOR(pg_catalog.&&)) WHERE ((NOT cancelled));

-- enforce.bookings.bookings_tenant_id_fk
ALTER TABLE "public"."bookings" ADD CONSTRAINT "bookings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.bookings.bookings_tenant_id_fk.validate
ALTER TABLE "public"."bookings" VALIDATE CONSTRAINT "bookings_tenant_id_fk";

-- enforce.bookings.bookings_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "bookings_tenant_id_idx" ON "public"."bookings" USING btree ("tenant_id");

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

-- observe.bookings.analyze
ANALYZE "public"."bookings" ("tenant_id");

-- observe.bookings.isolate
CREATE POLICY "tenant_isolation" ON "public"."bookings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."bookings" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('bookings'))) WITH CHECK ((SELECT tenantry.observe('bookings')));
ALTER TABLE "public"."bookings" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."bookings" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.bookings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."bookings" TO "app_user";

-- cutover.bookings.bookings_code_excl.drop
ALTER TABLE "public"."bookings" DROP CONSTRAINT "bookings_code_excl";

-- cutover.bookings.bookings_late_excl.drop
ALTER TABLE "public"."bookings" DROP CONSTRAINT "bookings_late_excl";

-- cutover.bookings.bookings_room_excl.drop
ALTER TABLE "public"."bookings" DROP CONSTRAINT "bookings_room_excl";

-- cutover.bookings.observe
DROP POLICY IF EXISTS "observe" ON "public"."bookings";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.bookings.tenant_id.default
ALTER TABLE "public"."bookings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
