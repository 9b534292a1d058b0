-- note: code to edit: ON CONFLICT (name) on counters becomes ON CONFLICT (tenant_id, name)
-- note: code to edit: function bump(text) says ON CONFLICT on counters_pkey of counters
-- note: code to edit: ON CONFLICT ("Alias") on counters becomes ON CONFLICT (tenant_id, "Alias")
-- note: code to edit: function bump_alias(text) says ON CONFLICT on counters_alias_key of counters
-- note: code to edit: ON CONFLICT (kind, n) on counters becomes ON CONFLICT (tenant_id, kind, n)
-- note: code to edit: function bump_any(text) says ON CONFLICT on counters_kind_n_key of counters
-- note: code to edit: function bump_kind(k text) says ON CONFLICT on counters_kind_n_key of counters
-- note: code to edit: ON CONFLICT (lower(kind), COALESCE(name, ''::text)) on counters becomes ON CONFLICT (tenant_id, lower(kind), COALESCE(name, ''::text))
-- note: code to edit: function bump_lower(text) says ON CONFLICT on counters_kind_name of counters
-- note: code to edit: what looks for counters_alias_key in an error meets counters_tenant_Alias_unique, without a DETAIL
-- note: code to edit: what looks for counters_kind_n_key in an error meets counters_tenant_kind_n_unique, without a DETAIL
-- note: code to edit: what looks for counters_kind_name in an error meets counters_tenant_expr_expr_unique, without a DETAIL
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

-- columns.counters.tenant_id
ALTER TABLE "public"."counters" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."counters" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.counters.tenant_id.check
ALTER TABLE "public"."counters" ADD CONSTRAINT "counters_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.counters.tenant_id.validate
ALTER TABLE "public"."counters" VALIDATE CONSTRAINT "counters_tenant_id_present";

-- enforce.counters.tenant_id.not_null
ALTER TABLE "public"."counters" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."counters" DROP CONSTRAINT "counters_tenant_id_present";

-- enforce.counters.counters_tenant_Alias_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "counters_tenant_Alias_unique" ON "public"."counters" USING btree ("tenant_id", "Alias");

-- enforce.counters.counters_tenant_Alias_unique
ALTER TABLE "public"."counters" ADD CONSTRAINT "counters_tenant_Alias_unique" UNIQUE USING INDEX "counters_tenant_Alias_unique";

-- enforce.counters.counters_tenant_kind_n_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "counters_tenant_kind_n_unique" ON "public"."counters" USING btree ("tenant_id", "kind", "n");

-- enforce.counters.counters_tenant_kind_n_unique
ALTER TABLE "public"."counters" ADD CONSTRAINT "counters_tenant_kind_n_unique" UNIQUE USING INDEX "counters_tenant_kind_n_unique";

-- enforce.counters.counters_tenant_expr_expr_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "counters_tenant_expr_expr_unique" ON "public"."counters" USING btree ("tenant_id", (lower(kind)), (COALESCE(name, ''::text)));

-- enforce.counters.counters_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "counters_pkey_tenant" ON "public"."counters" USING btree ("tenant_id", "name");

-- enforce.counters.counters_tenant_id_fk
ALTER TABLE "public"."counters" ADD CONSTRAINT "counters_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.counters.counters_tenant_id_fk.validate
ALTER TABLE "public"."counters" VALIDATE CONSTRAINT "counters_tenant_id_fk";

-- enforce.counters.counters_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "counters_tenant_id_idx" ON "public"."counters" USING btree ("tenant_id");

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

-- observe.counters.analyze
ANALYZE "public"."counters" ("tenant_id");

-- observe.counters.isolate
CREATE POLICY "tenant_isolation" ON "public"."counters" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."counters" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('counters'))) WITH CHECK ((SELECT tenantry.observe('counters')));
ALTER TABLE "public"."counters" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."counters" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.counters.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."counters" TO "app_user";

-- cutover.counters.counters_alias_key.drop
ALTER TABLE "public"."counters" DROP CONSTRAINT "counters_alias_key";

-- cutover.counters.counters_kind_n_key.drop
ALTER TABLE "public"."counters" DROP CONSTRAINT "counters_kind_n_key";

-- cutover.counters.counters_kind_name.drop
DROP INDEX "public"."counters_kind_name";

-- cutover.counters.counters_pkey
ALTER TABLE "public"."counters" DROP CONSTRAINT "counters_pkey";
ALTER TABLE "public"."counters" ADD CONSTRAINT "counters_pkey" PRIMARY KEY USING INDEX "counters_pkey_tenant";

-- cutover.counters.observe
DROP POLICY IF EXISTS "observe" ON "public"."counters";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.counters.tenant_id.default
ALTER TABLE "public"."counters" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
