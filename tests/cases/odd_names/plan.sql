-- note: code to edit: ON CONFLICT ("Größe in %") on My.Schema "x".Order "Lines" 100% becomes ON CONFLICT ("Tenant Id", "Größe in %")
-- note: code to edit: ON CONFLICT (group) on user becomes ON CONFLICT ("Tenant Id", group)
-- note: code to edit: ON CONFLICT ("ключ") on Преводы becomes ON CONFLICT ("Tenant Id", "ключ")
-- note: code to edit: ON CONFLICT (lower("c ""d""")) on Преводы becomes ON CONFLICT ("Tenant Id", lower("c ""d"""))
-- note: code to edit: what looks for it's unique in an error meets Order "Lines" 100%_tenant_Größe in %_unique, without a DETAIL
-- note: code to edit: what looks for Idx %s {0} $1 \x in an error meets Преводы_tenant_expr_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.create
CREATE TABLE "public"."The Tenants" (
  "Key" text PRIMARY KEY DEFAULT gen_random_uuid()::text,
  name text NOT NULL,
  slug text NOT NULL CONSTRAINT "The Tenants_slug_unique" UNIQUE,
  domain text,
  logo text,
  is_active boolean NOT NULL DEFAULT true,
  plan text NOT NULL DEFAULT 'freemium',
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT "The Tenants_Key_not_empty" CHECK ("Key" <> '')
);

-- tenants.default
INSERT INTO "public"."The Tenants" ("Key", name, slug)
VALUES ('o''first', 'First "tenant" 100%', 'first')
ON CONFLICT DO NOTHING;

-- columns.My.Schema "x".Order "Lines" 100%.Tenant Id
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ADD COLUMN "Tenant Id" text DEFAULT 'o''first'::text;
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ALTER COLUMN "Tenant Id" SET DEFAULT coalesce(nullif(current_setting('My_App.Tenant', true), ''), 'o''first');

-- columns.user.Tenant Id
ALTER TABLE "public"."user" ADD COLUMN "Tenant Id" text DEFAULT 'o''first'::text;
ALTER TABLE "public"."user" ALTER COLUMN "Tenant Id" SET DEFAULT coalesce(nullif(current_setting('My_App.Tenant', true), ''), 'o''first');

-- columns.Преводы.Tenant Id
ALTER TABLE "public"."Преводы" ADD COLUMN "Tenant Id" text DEFAULT 'o''first'::text;
ALTER TABLE "public"."Преводы" ALTER COLUMN "Tenant Id" SET DEFAULT coalesce(nullif(current_setting('My_App.Tenant', true), ''), 'o''first');

-- enforce.My.Schema "x".Order "Lines" 100%.Tenant Id.check
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ADD CONSTRAINT "Order ""Lines"" 100%_Tenant Id_present" CHECK ("Tenant Id" IS NOT NULL) NOT VALID;

-- enforce.My.Schema "x".Order "Lines" 100%.Tenant Id.validate
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" VALIDATE CONSTRAINT "Order ""Lines"" 100%_Tenant Id_present";

-- enforce.My.Schema "x".Order "Lines" 100%.Tenant Id.not_null
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ALTER COLUMN "Tenant Id" SET NOT NULL;
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" DROP CONSTRAINT "Order ""Lines"" 100%_Tenant Id_present";

-- enforce.user.Tenant Id.check
ALTER TABLE "public"."user" ADD CONSTRAINT "user_Tenant Id_present" CHECK ("Tenant Id" IS NOT NULL) NOT VALID;

-- enforce.user.Tenant Id.validate
ALTER TABLE "public"."user" VALIDATE CONSTRAINT "user_Tenant Id_present";

-- enforce.user.Tenant Id.not_null
ALTER TABLE "public"."user" ALTER COLUMN "Tenant Id" SET NOT NULL;
ALTER TABLE "public"."user" DROP CONSTRAINT "user_Tenant Id_present";

-- enforce.Преводы.Tenant Id.check
ALTER TABLE "public"."Преводы" ADD CONSTRAINT "Преводы_Tenant Id_present" CHECK ("Tenant Id" IS NOT NULL) NOT VALID;

-- enforce.Преводы.Tenant Id.validate
ALTER TABLE "public"."Преводы" VALIDATE CONSTRAINT "Преводы_Tenant Id_present";

-- enforce.Преводы.Tenant Id.not_null
ALTER TABLE "public"."Преводы" ALTER COLUMN "Tenant Id" SET NOT NULL;
ALTER TABLE "public"."Преводы" DROP CONSTRAINT "Преводы_Tenant Id_present";

-- enforce.My.Schema "x".Order "Lines" 100%.Order "Lines" 100%_tenant_Größe in %_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "Order ""Lines"" 100%_tenant_Größe in %_unique" ON "My.Schema ""x"""."Order ""Lines"" 100%" USING btree ("Tenant Id", "Größe in %");

-- enforce.My.Schema "x".Order "Lines" 100%.Order "Lines" 100%_tenant_Größe in %_unique
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ADD CONSTRAINT "Order ""Lines"" 100%_tenant_Größe in %_unique" UNIQUE USING INDEX "Order ""Lines"" 100%_tenant_Größe in %_unique";

-- enforce.Преводы.Преводы_tenant_expr_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "Преводы_tenant_expr_unique" ON "public"."Преводы" USING btree ("Tenant Id", (lower("c ""d"""))) WHERE (("c ""d""" <> '%(first)s'''::text));

-- enforce.user.user_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "user_pkey_tenant" ON "public"."user" USING btree ("Tenant Id", "group");

-- enforce.Преводы.Преводы_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "Преводы_pkey_tenant" ON "public"."Преводы" USING btree ("Tenant Id", "ключ");

-- enforce.My.Schema "x".Order "Lines" 100%.Order "Lines" 100%_tenant_Id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "Order ""Lines"" 100%_tenant_Id_unique" ON "My.Schema ""x"""."Order ""Lines"" 100%" USING btree ("Tenant Id", "Id");

-- enforce.My.Schema "x".Order "Lines" 100%.Order "Lines" 100%_tenant_Id_unique
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ADD CONSTRAINT "Order ""Lines"" 100%_tenant_Id_unique" UNIQUE USING INDEX "Order ""Lines"" 100%_tenant_Id_unique";

-- enforce.My.Schema "x".Order "Lines" 100%.Order "Lines" 100%_Tenant Id_fk
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ADD CONSTRAINT "Order ""Lines"" 100%_Tenant Id_fk" FOREIGN KEY ("Tenant Id") REFERENCES "public"."The Tenants" ("Key") NOT VALID;

-- enforce.My.Schema "x".Order "Lines" 100%.Order "Lines" 100%_Tenant Id_fk.validate
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" VALIDATE CONSTRAINT "Order ""Lines"" 100%_Tenant Id_fk";

-- enforce.user.user_Tenant Id_fk
ALTER TABLE "public"."user" ADD CONSTRAINT "user_Tenant Id_fk" FOREIGN KEY ("Tenant Id") REFERENCES "public"."The Tenants" ("Key") NOT VALID;

-- enforce.user.user_Tenant Id_fk.validate
ALTER TABLE "public"."user" VALIDATE CONSTRAINT "user_Tenant Id_fk";

-- enforce.Преводы.Преводы_Tenant Id_fk
ALTER TABLE "public"."Преводы" ADD CONSTRAINT "Преводы_Tenant Id_fk" FOREIGN KEY ("Tenant Id") REFERENCES "public"."The Tenants" ("Key") NOT VALID;

-- enforce.Преводы.Преводы_Tenant Id_fk.validate
ALTER TABLE "public"."Преводы" VALIDATE CONSTRAINT "Преводы_Tenant Id_fk";

-- enforce.user.user_tenant_order_fk
ALTER TABLE "public"."user" ADD CONSTRAINT "user_tenant_order_fk" FOREIGN KEY ("Tenant Id", "order") REFERENCES "public"."Преводы" ("Tenant Id", "ключ") ON UPDATE CASCADE NOT VALID;

-- enforce.user.user_tenant_order_fk.validate
ALTER TABLE "public"."user" VALIDATE CONSTRAINT "user_tenant_order_fk";

-- enforce.Преводы.Преводы_tenant_a.b_fk
ALTER TABLE "public"."Преводы" ADD CONSTRAINT "Преводы_tenant_a.b_fk" FOREIGN KEY ("Tenant Id", "a.b") REFERENCES "My.Schema ""x"""."Order ""Lines"" 100%" ("Tenant Id", "Id") NOT VALID;

-- enforce.Преводы.Преводы_tenant_a.b_fk.validate
ALTER TABLE "public"."Преводы" VALIDATE CONSTRAINT "Преводы_tenant_a.b_fk";

-- enforce.user.user_order_fkey.drop
ALTER TABLE "public"."user" DROP CONSTRAINT "user_order_fkey";

-- enforce.Преводы.Преводы_a.b_fkey.drop
ALTER TABLE "public"."Преводы" DROP CONSTRAINT "Преводы_a.b_fkey";

-- enforce.My.Schema "x".Order "Lines" 100%.Order "Lines" 100%_Tenant Id_idx.build
CREATE INDEX CONCURRENTLY "Order ""Lines"" 100%_Tenant Id_idx" ON "My.Schema ""x"""."Order ""Lines"" 100%" USING btree ("Tenant Id");

-- enforce.user.user_Tenant Id_idx.build
CREATE INDEX CONCURRENTLY "user_Tenant Id_idx" ON "public"."user" USING btree ("Tenant Id");

-- enforce.Преводы.Преводы_Tenant Id_idx.build
CREATE INDEX CONCURRENTLY "Преводы_Tenant Id_idx" ON "public"."Преводы" USING btree ("Tenant Id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.schema.My.Schema "x".app_user
GRANT USAGE ON SCHEMA "My.Schema ""x""" TO "app_user";

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.My.Schema "x".Order "Lines" 100%.analyze
ANALYZE "My.Schema ""x"""."Order ""Lines"" 100%" ("Tenant Id");

-- observe.My.Schema "x".Order "Lines" 100%.isolate
CREATE POLICY "tenant_isolation" ON "My.Schema ""x"""."Order ""Lines"" 100%" AS PERMISSIVE FOR ALL TO PUBLIC USING ("Tenant Id" = current_setting('My_App.Tenant', true)) WITH CHECK ("Tenant Id" = current_setting('My_App.Tenant', true));
CREATE POLICY "observe" ON "My.Schema ""x"""."Order ""Lines"" 100%" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('My.Schema "x".Order "Lines" 100%'))) WITH CHECK ((SELECT tenantry.observe('My.Schema "x".Order "Lines" 100%')));
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" FORCE ROW LEVEL SECURITY;

-- observe.user.analyze
ANALYZE "public"."user" ("Tenant Id");

-- observe.user.isolate
CREATE POLICY "tenant_isolation" ON "public"."user" AS PERMISSIVE FOR ALL TO PUBLIC USING ("Tenant Id" = current_setting('My_App.Tenant', true)) WITH CHECK ("Tenant Id" = current_setting('My_App.Tenant', true));
CREATE POLICY "observe" ON "public"."user" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('user'))) WITH CHECK ((SELECT tenantry.observe('user')));
ALTER TABLE "public"."user" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."user" FORCE ROW LEVEL SECURITY;

-- observe.Преводы.analyze
ANALYZE "public"."Преводы" ("Tenant Id");

-- observe.Преводы.isolate
CREATE POLICY "tenant_isolation" ON "public"."Преводы" AS PERMISSIVE FOR ALL TO PUBLIC USING ("Tenant Id" = current_setting('My_App.Tenant', true)) WITH CHECK ("Tenant Id" = current_setting('My_App.Tenant', true));
CREATE POLICY "observe" ON "public"."Преводы" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('Преводы'))) WITH CHECK ((SELECT tenantry.observe('Преводы')));
ALTER TABLE "public"."Преводы" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."Преводы" FORCE ROW LEVEL SECURITY;

-- observe.The Tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."The Tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("Key" = current_setting('My_App.Tenant', true)) WITH CHECK ("Key" = current_setting('My_App.Tenant', true));
CREATE POLICY "observe" ON "public"."The Tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('The Tenants'))) WITH CHECK ((SELECT tenantry.observe('The Tenants')));
ALTER TABLE "public"."The Tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."The Tenants" FORCE ROW LEVEL SECURITY;

-- observe.The Tenants.grants
GRANT SELECT ON TABLE "public"."The Tenants" TO "app_user";

-- observe.My.Schema "x".Order "Lines" 100%.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "My.Schema ""x"""."Order ""Lines"" 100%" TO "app_user";

-- observe.user.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."user" TO "app_user";

-- observe.Преводы.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."Преводы" TO "app_user";

-- cutover.My.Schema "x".Order "Lines" 100%.it's unique.drop
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" DROP CONSTRAINT "it's unique";

-- cutover.Преводы.Idx %s {0} $1 \x.drop
DROP INDEX "public"."Idx %s {0} $1 \x";

-- cutover.user.user_pkey
ALTER TABLE "public"."user" DROP CONSTRAINT "user_pkey";
ALTER TABLE "public"."user" ADD CONSTRAINT "user_pkey" PRIMARY KEY USING INDEX "user_pkey_tenant";

-- cutover.Преводы.Преводы_pkey
ALTER TABLE "public"."Преводы" DROP CONSTRAINT "Преводы_pkey";
ALTER TABLE "public"."Преводы" ADD CONSTRAINT "Преводы_pkey" PRIMARY KEY USING INDEX "Преводы_pkey_tenant";

-- cutover.My.Schema "x".Order "Lines" 100%.observe
DROP POLICY IF EXISTS "observe" ON "My.Schema ""x"""."Order ""Lines"" 100%";

-- cutover.user.observe
DROP POLICY IF EXISTS "observe" ON "public"."user";

-- cutover.Преводы.observe
DROP POLICY IF EXISTS "observe" ON "public"."Преводы";

-- cutover.The Tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."The Tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.My.Schema "x".Order "Lines" 100%.Tenant Id.default
ALTER TABLE "My.Schema ""x"""."Order ""Lines"" 100%" ALTER COLUMN "Tenant Id" SET DEFAULT nullif(current_setting('My_App.Tenant', true), '');

-- cutover.user.Tenant Id.default
ALTER TABLE "public"."user" ALTER COLUMN "Tenant Id" SET DEFAULT nullif(current_setting('My_App.Tenant', true), '');

-- cutover.Преводы.Tenant Id.default
ALTER TABLE "public"."Преводы" ALTER COLUMN "Tenant Id" SET DEFAULT nullif(current_setting('My_App.Tenant', true), '');
