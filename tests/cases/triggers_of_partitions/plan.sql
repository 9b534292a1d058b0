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

-- columns.events.tenant_id
ALTER TABLE "public"."events" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."events" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- backfill.events.tenants
INSERT INTO "public"."tenants" (name, slug)
SELECT v.value, v.value
FROM (SELECT DISTINCT "team"::text AS value FROM "public"."events") v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM "public"."tenants" k WHERE k."slug"::text = v.value);

-- backfill.events.tenant_id
ALTER TABLE "public"."events" DISABLE TRIGGER "keep";
ALTER TABLE "public"."events" DISABLE TRIGGER "keep_all";
ALTER TABLE "public"."events_2024" DISABLE TRIGGER "keep_part";
ALTER TABLE "public"."events_2024" DISABLE TRIGGER "quiet";
ALTER TABLE "public"."events_rest" DISABLE TRIGGER "keep";
UPDATE "public"."events" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."slug"::text = a."team"::text)
WHERE a."tenant_id" IS NULL;
ALTER TABLE "public"."events" ENABLE TRIGGER "keep";
ALTER TABLE "public"."events" ENABLE TRIGGER "keep_all";
ALTER TABLE "public"."events_2024" ENABLE TRIGGER "keep_part";
ALTER TABLE "public"."events_2024" ENABLE TRIGGER "quiet";
ALTER TABLE "public"."events_rest" DISABLE TRIGGER "keep";

-- enforce.events.tenant_id.check
ALTER TABLE "public"."events" ADD CONSTRAINT "events_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.events.tenant_id.validate
ALTER TABLE "public"."events" VALIDATE CONSTRAINT "events_tenant_id_present";

-- enforce.events.tenant_id.not_null
ALTER TABLE "public"."events" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."events" DROP CONSTRAINT "events_tenant_id_present";

-- enforce.events.events_tenant_id_fk
ALTER TABLE "public"."events" ADD CONSTRAINT "events_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.events.events_tenant_id_fk.validate
ALTER TABLE "public"."events" VALIDATE CONSTRAINT "events_tenant_id_fk";

-- enforce.events.events_tenant_id_idx.build
CREATE INDEX "events_tenant_id_idx" ON "public"."events" USING btree ("tenant_id");

-- enforce.events.isolate
CREATE POLICY "tenant_isolation" ON "public"."events" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."events" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."events" FORCE ROW LEVEL SECURITY;

-- enforce.events_2024.isolate
ANALYZE "public"."events_2024" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."events_2024" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."events_2024" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."events_2024" FORCE ROW LEVEL SECURITY;

-- enforce.events_rest.isolate
ANALYZE "public"."events_rest" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."events_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."events_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."events_rest" FORCE ROW LEVEL SECURITY;

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

-- harden.events.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."events" TO "app_user";
