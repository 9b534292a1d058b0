-- note: code to edit: ON CONFLICT (code, year) on rooms becomes ON CONFLICT (tenant_id, code, year)
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

-- columns.rooms.tenant_id
ALTER TABLE "public"."rooms" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."rooms" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.rooms.tenant_id.check
ALTER TABLE "public"."rooms" ADD CONSTRAINT "rooms_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.rooms.tenant_id.validate
ALTER TABLE "public"."rooms" VALIDATE CONSTRAINT "rooms_tenant_id_present";

-- enforce.rooms.tenant_id.not_null
ALTER TABLE "public"."rooms" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."rooms" DROP CONSTRAINT "rooms_tenant_id_present";

-- enforce.rooms_2024.rooms_2024_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "rooms_2024_pkey_tenant" ON "public"."rooms_2024" USING btree ("tenant_id", "code", "year");

-- enforce.rooms_rest.rooms_rest_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "rooms_rest_pkey_tenant" ON "public"."rooms_rest" USING btree ("tenant_id", "code", "year");

-- enforce.rooms.rooms_tenant_id_fk
ALTER TABLE "public"."rooms" ADD CONSTRAINT "rooms_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.rooms.rooms_tenant_id_fk.validate
ALTER TABLE "public"."rooms" VALIDATE CONSTRAINT "rooms_tenant_id_fk";

-- enforce.rooms_2024.rooms_2024_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "rooms_2024_tenant_id_idx" ON "public"."rooms_2024" USING btree ("tenant_id");

-- enforce.rooms_rest.rooms_rest_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "rooms_rest_tenant_id_idx" ON "public"."rooms_rest" USING btree ("tenant_id");

-- enforce.rooms.rooms_tenant_id_idx.build
CREATE INDEX "rooms_tenant_id_idx" ON "public"."rooms" USING btree ("tenant_id");

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

-- observe.rooms_rest.analyze
ANALYZE "public"."rooms_rest" ("tenant_id");

-- observe.rooms_rest.isolate
CREATE POLICY "tenant_isolation" ON "public"."rooms_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."rooms_rest" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('rooms_rest'))) WITH CHECK ((SELECT tenantry.observe('rooms_rest')));
ALTER TABLE "public"."rooms_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."rooms_rest" FORCE ROW LEVEL SECURITY;

-- observe.rooms_2024.analyze
ANALYZE "public"."rooms_2024" ("tenant_id");

-- observe.rooms_2024.isolate
CREATE POLICY "tenant_isolation" ON "public"."rooms_2024" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."rooms_2024" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('rooms_2024'))) WITH CHECK ((SELECT tenantry.observe('rooms_2024')));
ALTER TABLE "public"."rooms_2024" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."rooms_2024" FORCE ROW LEVEL SECURITY;

-- observe.rooms.isolate
CREATE POLICY "tenant_isolation" ON "public"."rooms" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."rooms" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('rooms'))) WITH CHECK ((SELECT tenantry.observe('rooms')));
ALTER TABLE "public"."rooms" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."rooms" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.rooms.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."rooms" TO "app_user";

-- cutover.rooms.rooms_pkey
ALTER TABLE "public"."rooms" DROP CONSTRAINT "rooms_pkey";
ALTER TABLE "public"."rooms_2024" ADD CONSTRAINT "rooms_2024_pkey" PRIMARY KEY USING INDEX "rooms_2024_pkey_tenant";
ALTER TABLE "public"."rooms_rest" ADD CONSTRAINT "rooms_rest_pkey" PRIMARY KEY USING INDEX "rooms_rest_pkey_tenant";
ALTER TABLE "public"."rooms" ADD CONSTRAINT "rooms_pkey" PRIMARY KEY ("tenant_id", "code", "year");

-- cutover.rooms.observe
DROP POLICY IF EXISTS "observe" ON "public"."rooms";

-- cutover.rooms_2024.observe
DROP POLICY IF EXISTS "observe" ON "public"."rooms_2024";

-- cutover.rooms_rest.observe
DROP POLICY IF EXISTS "observe" ON "public"."rooms_rest";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.rooms.tenant_id.default
ALTER TABLE "public"."rooms" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
