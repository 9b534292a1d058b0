-- note: code to edit: ON CONFLICT (a_column_whose_name_is_exactly_as_long_as_a_name_may_be_by_byte) on a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a becomes ON CONFLICT (tenant_id, a_column_whose_name_is_exactly_as_long_as_a_name_may_be_by_byte)
-- note: code to edit: ON CONFLICT (a_column_whose_name_is_exactly_as_long_as_a_name_may_be_by_byte) on a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b becomes ON CONFLICT (tenant_id, a_column_whose_name_is_exactly_as_long_as_a_name_may_be_by_byte)
-- note: code to edit: ON CONFLICT ("üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx") on üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx becomes ON CONFLICT (tenant_id, "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx")
-- note: code to edit: what looks for a_constraint_whose_name_is_as_long_as_names_get_______________2 in an error meets a_table_whose_name_is_exactly_as_long_as_a_name_can_be_17e00d09, without a DETAIL
-- note: code to edit: what looks for a_constraint_whose_name_is_as_long_as_names_get_______________4 in an error meets a_table_whose_name_is_exactly_as_long_as_a_name_can_be_368bbaae, without a DETAIL
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

-- columns.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.tenant_id
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.tenant_id
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.tenant_id
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.tenant_id.check
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_5df4cad7" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.tenant_id.validate
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" VALIDATE CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_5df4cad7";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.tenant_id.not_null
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" DROP CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_5df4cad7";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.tenant_id.check
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_6dc260e8" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.tenant_id.validate
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" VALIDATE CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_6dc260e8";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.tenant_id.not_null
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" DROP CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_6dc260e8";

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.tenant_id.check
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ADD CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüü_f9cbd226" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.tenant_id.validate
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" VALIDATE CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüü_f9cbd226";

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.tenant_id.not_null
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" DROP CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüü_f9cbd226";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_17e00d09.build
CREATE UNIQUE INDEX CONCURRENTLY "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_17e00d09" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" USING btree ("tenant_id", "a_column_whose_name_is_exactly_as_long_as_a_name_may_be_by_byte");

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_17e00d09
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_17e00d09" UNIQUE USING INDEX "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_17e00d09";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_368bbaae.build
CREATE UNIQUE INDEX CONCURRENTLY "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_368bbaae" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" USING btree ("tenant_id", "a_column_whose_name_is_exactly_as_long_as_a_name_may_be_by_byte");

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_368bbaae
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_368bbaae" UNIQUE USING INDEX "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_368bbaae";

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüüüüüüüüüüüüüüü_6d44a23e.build
CREATE UNIQUE INDEX CONCURRENTLY "üüüüüüüüüüüüüüüüüüüüüüüüüüü_6d44a23e" ON "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" USING btree ("tenant_id", "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx");

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_e0d3e1b6.build
CREATE UNIQUE INDEX CONCURRENTLY "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_e0d3e1b6" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" USING btree ("tenant_id", "id");

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_e0d3e1b6
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_e0d3e1b6" UNIQUE USING INDEX "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_e0d3e1b6";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_d5f625f6.build
CREATE UNIQUE INDEX CONCURRENTLY "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_d5f625f6" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" USING btree ("tenant_id", "id");

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_d5f625f6
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_d5f625f6" UNIQUE USING INDEX "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_d5f625f6";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_a62872e3
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_a62872e3" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_a62872e3.validate
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" VALIDATE CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_a62872e3";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_3732945b
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_3732945b" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_3732945b.validate
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" VALIDATE CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_3732945b";

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüüüüüüüüüüüüüüü_b4b22d6f
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ADD CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüü_b4b22d6f" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüüüüüüüüüüüüüüü_b4b22d6f.validate
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" VALIDATE CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüü_b4b22d6f";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_caff8f06
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_caff8f06" FOREIGN KEY ("tenant_id", "of_a") REFERENCES "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ("tenant_id", "id") NOT VALID;

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_caff8f06.validate
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" VALIDATE CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_caff8f06";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_69cbe257
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ADD CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_69cbe257" FOREIGN KEY ("tenant_id", "of_b") REFERENCES "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ("tenant_id", "id") NOT VALID;

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_69cbe257.validate
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" VALIDATE CONSTRAINT "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_69cbe257";

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüüüüüüüüüüüüüüü_005f7f0e
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ADD CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüü_005f7f0e" FOREIGN KEY ("tenant_id", "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüy") REFERENCES "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ("tenant_id", "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx") NOT VALID;

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüüüüüüüüüüüüüüü_005f7f0e.validate
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" VALIDATE CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüü_005f7f0e";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_constraint_whose_name_is_as_long_as_names_get_______________5.drop
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" DROP CONSTRAINT "a_constraint_whose_name_is_as_long_as_names_get_______________5";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_constraint_whose_name_is_as_long_as_names_get_______________6.drop
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" DROP CONSTRAINT "a_constraint_whose_name_is_as_long_as_names_get_______________6";

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüü_üüüüüüüüüüüüüü_fkey.drop
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" DROP CONSTRAINT "üüüüüüüüüüüüüü_üüüüüüüüüüüüüü_fkey";

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_3dc989dd.build
CREATE INDEX CONCURRENTLY "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_3dc989dd" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" USING btree ("tenant_id");

-- enforce.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_54e4af9a.build
CREATE INDEX CONCURRENTLY "a_table_whose_name_is_exactly_as_long_as_a_name_can_be_54e4af9a" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" USING btree ("tenant_id");

-- enforce.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüüüüüüüüüüüüüüü_264047c4.build
CREATE INDEX CONCURRENTLY "üüüüüüüüüüüüüüüüüüüüüüüüüüü_264047c4" ON "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" USING btree ("tenant_id");

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

-- observe.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.analyze
ANALYZE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ("tenant_id");

-- observe.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.isolate
CREATE POLICY "tenant_isolation" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a'))) WITH CHECK ((SELECT tenantry.observe('a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a')));
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" FORCE ROW LEVEL SECURITY;

-- observe.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.analyze
ANALYZE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ("tenant_id");

-- observe.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.isolate
CREATE POLICY "tenant_isolation" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b'))) WITH CHECK ((SELECT tenantry.observe('a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b')));
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" FORCE ROW LEVEL SECURITY;

-- observe.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.analyze
ANALYZE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ("tenant_id");

-- observe.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.isolate
CREATE POLICY "tenant_isolation" ON "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx'))) WITH CHECK ((SELECT tenantry.observe('üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx')));
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" TO "app_user";

-- observe.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" TO "app_user";

-- observe.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" TO "app_user";

-- cutover.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.a_constraint_whose_name_is_as_long_as_names_get_______________2.drop
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" DROP CONSTRAINT "a_constraint_whose_name_is_as_long_as_names_get_______________2";

-- cutover.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.a_constraint_whose_name_is_as_long_as_names_get_______________4.drop
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" DROP CONSTRAINT "a_constraint_whose_name_is_as_long_as_names_get_______________4";

-- cutover.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü1
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" DROP CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü1";
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ADD CONSTRAINT "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü1" PRIMARY KEY USING INDEX "üüüüüüüüüüüüüüüüüüüüüüüüüüü_6d44a23e";

-- cutover.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.observe
DROP POLICY IF EXISTS "observe" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a";

-- cutover.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.observe
DROP POLICY IF EXISTS "observe" ON "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b";

-- cutover.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.observe
DROP POLICY IF EXISTS "observe" ON "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a.tenant_id.default
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_a" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b.tenant_id.default
ALTER TABLE "public"."a_table_whose_name_is_exactly_as_long_as_a_name_can_be_in_byt_b" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx.tenant_id.default
ALTER TABLE "public"."üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüx" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
