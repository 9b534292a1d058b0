-- note: code to edit: ON CONFLICT (label) on seats becomes ON CONFLICT (tenant_id, label)
-- note: code to edit: ON CONFLICT (place, label) on seats becomes ON CONFLICT (tenant_id, place, label)
-- note: code to edit: what looks for seats_label_key in an error meets seats_tenant_label_unique, without a DETAIL
-- note: code to edit: what looks for seats_place in an error meets seats_tenant_place_label_unique, without a DETAIL
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

-- enforce.seats.tenant_id.check
ALTER TABLE "public"."seats" ADD CONSTRAINT "seats_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.seats.tenant_id.validate
ALTER TABLE "public"."seats" VALIDATE CONSTRAINT "seats_tenant_id_present";

-- enforce.seats.tenant_id.not_null
ALTER TABLE "public"."seats" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."seats" DROP CONSTRAINT "seats_tenant_id_present";

-- enforce.seats.seats_tenant_label_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "seats_tenant_label_unique" ON "public"."seats" USING btree ("tenant_id", "label") NULLS NOT DISTINCT;

-- enforce.seats.seats_tenant_label_unique
ALTER TABLE "public"."seats" ADD CONSTRAINT "seats_tenant_label_unique" UNIQUE USING INDEX "seats_tenant_label_unique";

-- enforce.seats.seats_tenant_place_label_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "seats_tenant_place_label_unique" ON "public"."seats" USING btree ("tenant_id", "place", "label") NULLS NOT DISTINCT;

-- enforce.seats.seats_tenant_id_fk
ALTER TABLE "public"."seats" ADD CONSTRAINT "seats_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.seats.seats_tenant_id_fk.validate
ALTER TABLE "public"."seats" VALIDATE CONSTRAINT "seats_tenant_id_fk";

-- enforce.seats.seats_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "seats_tenant_id_idx" ON "public"."seats" USING btree ("tenant_id");

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

-- observe.seats.analyze
ANALYZE "public"."seats" ("tenant_id");

-- observe.seats.isolate
CREATE POLICY "tenant_isolation" ON "public"."seats" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."seats" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('seats'))) WITH CHECK ((SELECT tenantry.observe('seats')));
ALTER TABLE "public"."seats" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."seats" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.seats.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."seats" TO "app_user";

-- cutover.seats.seats_label_key.drop
ALTER TABLE "public"."seats" DROP CONSTRAINT "seats_label_key";

-- cutover.seats.seats_place.drop
DROP INDEX "public"."seats_place";

-- cutover.seats.observe
DROP POLICY IF EXISTS "observe" ON "public"."seats";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.seats.tenant_id.default
ALTER TABLE "public"."seats" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
