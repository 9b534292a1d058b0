-- note: code to edit: ON CONFLICT (owner) on documents becomes ON CONFLICT (tenant_id, owner)
-- note: code to edit: ON CONFLICT (slug) on documents becomes ON CONFLICT (tenant_id, slug)
-- note: code to edit: what looks for documents_one_draft in an error meets documents_tenant_owner_unique, without a DETAIL
-- note: code to edit: what looks for documents_slug_live in an error meets documents_tenant_slug_unique, without a DETAIL
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

-- columns.documents.tenant_id
ALTER TABLE "public"."documents" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."documents" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.documents.tenant_id.check
ALTER TABLE "public"."documents" ADD CONSTRAINT "documents_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.documents.tenant_id.validate
ALTER TABLE "public"."documents" VALIDATE CONSTRAINT "documents_tenant_id_present";

-- enforce.documents.tenant_id.not_null
ALTER TABLE "public"."documents" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."documents" DROP CONSTRAINT "documents_tenant_id_present";

-- enforce.documents.documents_tenant_owner_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "documents_tenant_owner_unique" ON "public"."documents" USING btree ("tenant_id", "owner") WHERE (((slug ~ '^draft[''"]'::text) OR ((owner = 'nobody'::text) AND (deleted_at > '2024-01-01 00:00:00+00'::timestamp with time zone))));

-- enforce.documents.documents_tenant_slug_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "documents_tenant_slug_unique" ON "public"."documents" USING btree ("tenant_id", "slug") WHERE ((deleted_at IS NULL));

-- enforce.documents.documents_tenant_id_fk
ALTER TABLE "public"."documents" ADD CONSTRAINT "documents_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.documents.documents_tenant_id_fk.validate
ALTER TABLE "public"."documents" VALIDATE CONSTRAINT "documents_tenant_id_fk";

-- enforce.documents.documents_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "documents_tenant_id_idx" ON "public"."documents" USING btree ("tenant_id");

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

-- observe.documents.analyze
ANALYZE "public"."documents" ("tenant_id");

-- observe.documents.isolate
CREATE POLICY "tenant_isolation" ON "public"."documents" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."documents" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('documents'))) WITH CHECK ((SELECT tenantry.observe('documents')));
ALTER TABLE "public"."documents" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."documents" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.documents.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."documents" TO "app_user";

-- cutover.documents.documents_one_draft.drop
DROP INDEX "public"."documents_one_draft";

-- cutover.documents.documents_slug_live.drop
DROP INDEX "public"."documents_slug_live";

-- cutover.documents.observe
DROP POLICY IF EXISTS "observe" ON "public"."documents";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.documents.tenant_id.default
ALTER TABLE "public"."documents" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
