-- note: code to edit: ON CONFLICT (email) on accounts becomes ON CONFLICT (tenant_id, email)
-- note: code to edit: what looks for accounts_email_key in an error meets accounts_tenant_email_unique, without a DETAIL
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

-- columns.accounts.tenant_id
ALTER TABLE "public"."accounts" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."accounts" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.baskets.tenant_id
ALTER TABLE "public"."baskets" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."baskets" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.items.tenant_id
ALTER TABLE "public"."items" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."items" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.logins.tenant_id
ALTER TABLE "public"."logins" ADD COLUMN "tenant_id" text;
ALTER TABLE "public"."logins" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- columns.accounts.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_006955182ee6a135"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT k."id" FROM "public"."tenants" k WHERE k."slug" = a."customer") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."accounts" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_006955182ee6a135"();

-- columns.baskets.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_304333039b79b853"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT p."tenant_id" FROM "public"."accounts" p WHERE p."id" = a."account_id") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."baskets" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_304333039b79b853"();

-- columns.items.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_a4834f92fd990d51"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT p."tenant_id" FROM "public"."baskets" p WHERE p."account_id" = a."account_id" AND p."number" = a."number" AND p."opened_on" = a."opened_on") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."items" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_a4834f92fd990d51"();

-- columns.logins.fill
CREATE SCHEMA IF NOT EXISTS tenantry;
CREATE OR REPLACE FUNCTION "tenantry"."fill_5605780fb03a0ca6"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fill$
BEGIN
  IF NEW."tenant_id" IS NULL THEN
    NEW."tenant_id" := (SELECT (SELECT p."tenant_id" FROM "public"."accounts" p WHERE p."email" = a."email") FROM (SELECT NEW.*) AS a);
  END IF;
  RETURN NEW;
END
$fill$;
CREATE TRIGGER "tenantry_fill" BEFORE INSERT ON "public"."logins" FOR EACH ROW EXECUTE FUNCTION "tenantry"."fill_5605780fb03a0ca6"();

-- backfill.accounts.tenants
INSERT INTO "public"."tenants" (name, slug)
SELECT v.value, v.value
FROM (SELECT DISTINCT "customer"::text AS value FROM "public"."accounts") v WHERE v.value <> '' AND NOT EXISTS (SELECT FROM "public"."tenants" k WHERE k."slug"::text = v.value);

-- backfill.accounts.tenant_id
UPDATE "public"."accounts" AS a SET "tenant_id" = (SELECT k."id" FROM "public"."tenants" k WHERE k."slug" = a."customer")
WHERE a."tenant_id" IS NULL;

-- backfill.baskets.tenant_id
UPDATE "public"."baskets" AS a SET "tenant_id" = (SELECT p."tenant_id" FROM "public"."accounts" p WHERE p."id" = a."account_id")
WHERE a."tenant_id" IS NULL;

-- backfill.logins.tenant_id
UPDATE "public"."logins" AS a SET "tenant_id" = (SELECT p."tenant_id" FROM "public"."accounts" p WHERE p."email" = a."email")
WHERE a."tenant_id" IS NULL;

-- backfill.items.tenant_id
UPDATE "public"."items" AS a SET "tenant_id" = (SELECT p."tenant_id" FROM "public"."baskets" p WHERE p."account_id" = a."account_id" AND p."number" = a."number" AND p."opened_on" = a."opened_on")
WHERE a."tenant_id" IS NULL;

-- enforce.accounts.tenant_id.check
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.accounts.tenant_id.validate
ALTER TABLE "public"."accounts" VALIDATE CONSTRAINT "accounts_tenant_id_present";

-- enforce.accounts.tenant_id.not_null
ALTER TABLE "public"."accounts" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."accounts" DROP CONSTRAINT "accounts_tenant_id_present";

-- enforce.baskets.tenant_id.check
ALTER TABLE "public"."baskets" ADD CONSTRAINT "baskets_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.baskets.tenant_id.validate
ALTER TABLE "public"."baskets" VALIDATE CONSTRAINT "baskets_tenant_id_present";

-- enforce.baskets.tenant_id.not_null
ALTER TABLE "public"."baskets" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."baskets" DROP CONSTRAINT "baskets_tenant_id_present";

-- enforce.items.tenant_id.check
ALTER TABLE "public"."items" ADD CONSTRAINT "items_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.items.tenant_id.validate
ALTER TABLE "public"."items" VALIDATE CONSTRAINT "items_tenant_id_present";

-- enforce.items.tenant_id.not_null
ALTER TABLE "public"."items" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."items" DROP CONSTRAINT "items_tenant_id_present";

-- enforce.logins.tenant_id.check
ALTER TABLE "public"."logins" ADD CONSTRAINT "logins_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.logins.tenant_id.validate
ALTER TABLE "public"."logins" VALIDATE CONSTRAINT "logins_tenant_id_present";

-- enforce.logins.tenant_id.not_null
ALTER TABLE "public"."logins" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."logins" DROP CONSTRAINT "logins_tenant_id_present";

-- enforce.accounts.accounts_tenant_email_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "accounts_tenant_email_unique" ON "public"."accounts" USING btree ("tenant_id", "email");

-- enforce.accounts.accounts_tenant_email_unique
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_tenant_email_unique" UNIQUE USING INDEX "accounts_tenant_email_unique";

-- enforce.accounts.accounts_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "accounts_tenant_id_unique" ON "public"."accounts" USING btree ("tenant_id", "id");

-- enforce.accounts.accounts_tenant_id_unique
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_tenant_id_unique" UNIQUE USING INDEX "accounts_tenant_id_unique";

-- enforce.baskets_2024.baskets_2024_tenant_id_account_id_number_opened_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "baskets_2024_tenant_id_account_id_number_opened_on_key" ON "public"."baskets_2024" USING btree ("tenant_id", "account_id", "number", "opened_on");

-- enforce.baskets_rest.baskets_rest_tenant_id_account_id_number_opened_on_key.build
CREATE UNIQUE INDEX CONCURRENTLY "baskets_rest_tenant_id_account_id_number_opened_on_key" ON "public"."baskets_rest" USING btree ("tenant_id", "account_id", "number", "opened_on");

-- enforce.baskets.baskets_tenant_account_number_opened_on_unique
ALTER TABLE "public"."baskets_2024" ADD CONSTRAINT "baskets_2024_tenant_id_account_id_number_opened_on_key" UNIQUE USING INDEX "baskets_2024_tenant_id_account_id_number_opened_on_key";
ALTER TABLE "public"."baskets_rest" ADD CONSTRAINT "baskets_rest_tenant_id_account_id_number_opened_on_key" UNIQUE USING INDEX "baskets_rest_tenant_id_account_id_number_opened_on_key";
ALTER TABLE "public"."baskets" ADD CONSTRAINT "baskets_tenant_account_number_opened_on_unique" UNIQUE ("tenant_id", "account_id", "number", "opened_on");

-- enforce.accounts.accounts_tenant_id_fk
ALTER TABLE "public"."accounts" ADD CONSTRAINT "accounts_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.accounts.accounts_tenant_id_fk.validate
ALTER TABLE "public"."accounts" VALIDATE CONSTRAINT "accounts_tenant_id_fk";

-- enforce.baskets_2024.baskets_tenant_id_fk
ALTER TABLE "public"."baskets_2024" ADD CONSTRAINT "baskets_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.baskets_2024.baskets_tenant_id_fk.validate
ALTER TABLE "public"."baskets_2024" VALIDATE CONSTRAINT "baskets_tenant_id_fk";

-- enforce.baskets_rest.baskets_tenant_id_fk
ALTER TABLE "public"."baskets_rest" ADD CONSTRAINT "baskets_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.baskets_rest.baskets_tenant_id_fk.validate
ALTER TABLE "public"."baskets_rest" VALIDATE CONSTRAINT "baskets_tenant_id_fk";

-- enforce.baskets.baskets_tenant_id_fk
ALTER TABLE "public"."baskets" ADD CONSTRAINT "baskets_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");

-- enforce.items.items_tenant_id_fk
ALTER TABLE "public"."items" ADD CONSTRAINT "items_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.items.items_tenant_id_fk.validate
ALTER TABLE "public"."items" VALIDATE CONSTRAINT "items_tenant_id_fk";

-- enforce.logins.logins_tenant_id_fk
ALTER TABLE "public"."logins" ADD CONSTRAINT "logins_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.logins.logins_tenant_id_fk.validate
ALTER TABLE "public"."logins" VALIDATE CONSTRAINT "logins_tenant_id_fk";

-- enforce.baskets_2024.baskets_tenant_account_fk
ALTER TABLE "public"."baskets_2024" ADD CONSTRAINT "baskets_tenant_account_fk" FOREIGN KEY ("tenant_id", "account_id") REFERENCES "public"."accounts" ("tenant_id", "id") ON DELETE CASCADE NOT VALID;

-- enforce.baskets_2024.baskets_tenant_account_fk.validate
ALTER TABLE "public"."baskets_2024" VALIDATE CONSTRAINT "baskets_tenant_account_fk";

-- enforce.baskets_rest.baskets_tenant_account_fk
ALTER TABLE "public"."baskets_rest" ADD CONSTRAINT "baskets_tenant_account_fk" FOREIGN KEY ("tenant_id", "account_id") REFERENCES "public"."accounts" ("tenant_id", "id") ON DELETE CASCADE NOT VALID;

-- enforce.baskets_rest.baskets_tenant_account_fk.validate
ALTER TABLE "public"."baskets_rest" VALIDATE CONSTRAINT "baskets_tenant_account_fk";

-- enforce.baskets.baskets_tenant_account_fk
ALTER TABLE "public"."baskets" ADD CONSTRAINT "baskets_tenant_account_fk" FOREIGN KEY ("tenant_id", "account_id") REFERENCES "public"."accounts" ("tenant_id", "id") ON DELETE CASCADE;

-- enforce.items.items_tenant_account_number_opened_on_fk
ALTER TABLE "public"."items" ADD CONSTRAINT "items_tenant_account_number_opened_on_fk" FOREIGN KEY ("tenant_id", "account_id", "number", "opened_on") REFERENCES "public"."baskets" ("tenant_id", "account_id", "number", "opened_on") ON DELETE CASCADE NOT VALID;

-- enforce.items.items_tenant_account_number_opened_on_fk.validate
ALTER TABLE "public"."items" VALIDATE CONSTRAINT "items_tenant_account_number_opened_on_fk";

-- enforce.logins.logins_tenant_invited_by_fk
ALTER TABLE "public"."logins" ADD CONSTRAINT "logins_tenant_invited_by_fk" FOREIGN KEY ("tenant_id", "invited_by") REFERENCES "public"."accounts" ("tenant_id", "id") NOT VALID;

-- enforce.logins.logins_tenant_invited_by_fk.validate
ALTER TABLE "public"."logins" VALIDATE CONSTRAINT "logins_tenant_invited_by_fk";

-- enforce.baskets.baskets_account_fkey.drop
ALTER TABLE "public"."baskets" DROP CONSTRAINT "baskets_account_fkey";

-- enforce.items.items_basket_fkey.drop
ALTER TABLE "public"."items" DROP CONSTRAINT "items_basket_fkey";

-- enforce.logins.logins_inviter_fkey.drop
ALTER TABLE "public"."logins" DROP CONSTRAINT "logins_inviter_fkey";

-- enforce.accounts.accounts_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "accounts_tenant_id_idx" ON "public"."accounts" USING btree ("tenant_id");

-- enforce.baskets_2024.baskets_2024_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "baskets_2024_tenant_id_idx" ON "public"."baskets_2024" USING btree ("tenant_id");

-- enforce.baskets_rest.baskets_rest_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "baskets_rest_tenant_id_idx" ON "public"."baskets_rest" USING btree ("tenant_id");

-- enforce.baskets.baskets_tenant_id_idx.build
CREATE INDEX "baskets_tenant_id_idx" ON "public"."baskets" USING btree ("tenant_id");

-- enforce.items.items_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "items_tenant_id_idx" ON "public"."items" USING btree ("tenant_id");

-- enforce.logins.logins_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "logins_tenant_id_idx" ON "public"."logins" USING btree ("tenant_id");

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

-- observe.accounts.analyze
ANALYZE "public"."accounts" ("tenant_id");

-- observe.accounts.isolate
CREATE POLICY "tenant_isolation" ON "public"."accounts" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."accounts" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('accounts'))) WITH CHECK ((SELECT tenantry.observe('accounts')));
ALTER TABLE "public"."accounts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."accounts" FORCE ROW LEVEL SECURITY;

-- observe.baskets_rest.analyze
ANALYZE "public"."baskets_rest" ("tenant_id");

-- observe.baskets_rest.isolate
CREATE POLICY "tenant_isolation" ON "public"."baskets_rest" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."baskets_rest" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('baskets_rest'))) WITH CHECK ((SELECT tenantry.observe('baskets_rest')));
ALTER TABLE "public"."baskets_rest" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."baskets_rest" FORCE ROW LEVEL SECURITY;

-- observe.baskets_2024.analyze
ANALYZE "public"."baskets_2024" ("tenant_id");

-- observe.baskets_2024.isolate
CREATE POLICY "tenant_isolation" ON "public"."baskets_2024" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."baskets_2024" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('baskets_2024'))) WITH CHECK ((SELECT tenantry.observe('baskets_2024')));
ALTER TABLE "public"."baskets_2024" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."baskets_2024" FORCE ROW LEVEL SECURITY;

-- observe.baskets.isolate
CREATE POLICY "tenant_isolation" ON "public"."baskets" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."baskets" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('baskets'))) WITH CHECK ((SELECT tenantry.observe('baskets')));
ALTER TABLE "public"."baskets" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."baskets" FORCE ROW LEVEL SECURITY;

-- observe.items.analyze
ANALYZE "public"."items" ("tenant_id");

-- observe.items.isolate
CREATE POLICY "tenant_isolation" ON "public"."items" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."items" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('items'))) WITH CHECK ((SELECT tenantry.observe('items')));
ALTER TABLE "public"."items" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."items" FORCE ROW LEVEL SECURITY;

-- observe.logins.analyze
ANALYZE "public"."logins" ("tenant_id");

-- observe.logins.isolate
CREATE POLICY "tenant_isolation" ON "public"."logins" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."logins" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('logins'))) WITH CHECK ((SELECT tenantry.observe('logins')));
ALTER TABLE "public"."logins" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."logins" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.accounts.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."accounts" TO "app_user";

-- observe.baskets.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."baskets" TO "app_user";

-- observe.items.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."items" TO "app_user";

-- observe.logins.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."logins" TO "app_user";

-- cutover.accounts.accounts_email_key.drop
ALTER TABLE "public"."accounts" DROP CONSTRAINT "accounts_email_key";

-- cutover.accounts.observe
DROP POLICY IF EXISTS "observe" ON "public"."accounts";

-- cutover.baskets.observe
DROP POLICY IF EXISTS "observe" ON "public"."baskets";

-- cutover.baskets_2024.observe
DROP POLICY IF EXISTS "observe" ON "public"."baskets_2024";

-- cutover.baskets_rest.observe
DROP POLICY IF EXISTS "observe" ON "public"."baskets_rest";

-- cutover.items.observe
DROP POLICY IF EXISTS "observe" ON "public"."items";

-- cutover.logins.observe
DROP POLICY IF EXISTS "observe" ON "public"."logins";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.accounts.fill
DROP FUNCTION "tenantry"."fill_006955182ee6a135"() CASCADE;

-- cutover.baskets.fill
DROP FUNCTION "tenantry"."fill_304333039b79b853"() CASCADE;

-- cutover.items.fill
DROP FUNCTION "tenantry"."fill_a4834f92fd990d51"() CASCADE;

-- cutover.logins.fill
DROP FUNCTION "tenantry"."fill_5605780fb03a0ca6"() CASCADE;
