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

-- columns.notes.tenant_id
ALTER TABLE "public"."notes" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- backfill.notes.tenants
INSERT INTO "public"."tenants" (name, slug)
SELECT v.value, v.value
FROM (SELECT DISTINCT "team"::text AS value FROM "public"."notes") v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM "public"."tenants" k WHERE k."slug"::text = v.value);

-- backfill.notes.tenant_id
UPDATE "public"."notes" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."slug"::text = a."team"::text)
WHERE a."tenant_id" IS NULL;

-- enforce.notes.tenant_id.check
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.notes.tenant_id.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_present";

-- enforce.notes.tenant_id.not_null
ALTER TABLE "public"."notes" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."notes" DROP CONSTRAINT "notes_tenant_id_present";

-- enforce.notes.notes_tenant_id_fk
ALTER TABLE "public"."notes" ADD CONSTRAINT "notes_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.notes.notes_tenant_id_fk.validate
ALTER TABLE "public"."notes" VALIDATE CONSTRAINT "notes_tenant_id_fk";

-- enforce.notes.notes_tenant_id_idx.build
CREATE INDEX "notes_tenant_id_idx" ON "public"."notes" USING btree ("tenant_id");

-- enforce.notes.isolate
CREATE POLICY "tenant_isolation" ON "public"."notes" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."notes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."notes" FORCE ROW LEVEL SECURITY;

-- enforce.notes_red.isolate
CREATE POLICY "tenant_isolation" ON "public"."notes_red" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
DROP POLICY "red_only" ON "public"."notes_red";
ALTER TABLE "public"."notes_red" FORCE ROW LEVEL SECURITY;

-- enforce.notes_rest.isolate
ANALYZE "public"."notes_rest" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."notes_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."notes_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."notes_rest" FORCE ROW LEVEL SECURITY;

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.notes.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."notes" TO "app_user";
