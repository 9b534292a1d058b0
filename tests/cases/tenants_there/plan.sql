-- note: desks: foreign key desks_lent_to_fkey points at a tenant other than the row's own, by design; it stays
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.tenants_id_not_empty
ALTER TABLE "public"."tenants" ADD CONSTRAINT "tenants_id_not_empty" CHECK ("id" <> '');

-- tenants.default
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('first', 'First tenant', 'first')
ON CONFLICT DO NOTHING;

-- columns.chairs.tenant_id
ALTER TABLE "public"."chairs" ADD COLUMN "tenant_id" text DEFAULT 'zero'::text;
ALTER TABLE "public"."chairs" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'zero');

-- columns.desks.tenant_id
ALTER TABLE "public"."desks" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.chairs.tenant_id.check
ALTER TABLE "public"."chairs" ADD CONSTRAINT "chairs_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.chairs.tenant_id.validate
ALTER TABLE "public"."chairs" VALIDATE CONSTRAINT "chairs_tenant_id_present";

-- enforce.chairs.tenant_id.not_null
ALTER TABLE "public"."chairs" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."chairs" DROP CONSTRAINT "chairs_tenant_id_present";

-- enforce.desks.tenant_id.check
ALTER TABLE "public"."desks" ADD CONSTRAINT "desks_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.desks.tenant_id.validate
ALTER TABLE "public"."desks" VALIDATE CONSTRAINT "desks_tenant_id_present";

-- enforce.desks.tenant_id.not_null
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."desks" DROP CONSTRAINT "desks_tenant_id_present";

-- enforce.chairs.chairs_tenant_id_fk
ALTER TABLE "public"."chairs" ADD CONSTRAINT "chairs_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.chairs.chairs_tenant_id_fk.validate
ALTER TABLE "public"."chairs" VALIDATE CONSTRAINT "chairs_tenant_id_fk";

-- enforce.desks.desks_tenant_id_fk
ALTER TABLE "public"."desks" ADD CONSTRAINT "desks_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.desks.desks_tenant_id_fk.validate
ALTER TABLE "public"."desks" VALIDATE CONSTRAINT "desks_tenant_id_fk";

-- enforce.chairs.chairs_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "chairs_tenant_id_idx" ON "public"."chairs" USING btree ("tenant_id");

-- enforce.desks.desks_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "desks_tenant_id_idx" ON "public"."desks" USING btree ("tenant_id");

-- enforce.chairs.isolate
ANALYZE "public"."chairs" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."chairs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."chairs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."chairs" FORCE ROW LEVEL SECURITY;

-- enforce.desks.isolate
ANALYZE "public"."desks" ("tenant_id");
CREATE POLICY "tenant_isolation" ON "public"."desks" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
ALTER TABLE "public"."desks" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."desks" FORCE ROW LEVEL SECURITY;

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

-- harden.chairs.tenant_id.default
ALTER TABLE "public"."chairs" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.desks.tenant_id.default
ALTER TABLE "public"."desks" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- harden.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- harden.chairs.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."chairs" TO "app_user";

-- harden.desks.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."desks" TO "app_user";
