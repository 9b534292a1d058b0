-- note: code to edit: what looks for queue_rank_key in an error meets queue_tenant_rank_unique, without a DETAIL
-- note: code to edit: what looks for queue_ticket_key in an error meets queue_tenant_ticket_unique, without a DETAIL
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

-- columns.queue.tenant_id
ALTER TABLE "public"."queue" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."queue" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.queue.tenant_id.check
ALTER TABLE "public"."queue" ADD CONSTRAINT "queue_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.queue.tenant_id.validate
ALTER TABLE "public"."queue" VALIDATE CONSTRAINT "queue_tenant_id_present";

-- enforce.queue.tenant_id.not_null
ALTER TABLE "public"."queue" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."queue" DROP CONSTRAINT "queue_tenant_id_present";

-- enforce.queue.queue_tenant_rank_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "queue_tenant_rank_unique" ON "public"."queue" USING btree ("tenant_id", "rank");

-- enforce.queue.queue_tenant_rank_unique
ALTER TABLE "public"."queue" ADD CONSTRAINT "queue_tenant_rank_unique" UNIQUE USING INDEX "queue_tenant_rank_unique" DEFERRABLE;

-- enforce.queue.queue_tenant_ticket_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "queue_tenant_ticket_unique" ON "public"."queue" USING btree ("tenant_id", "ticket");

-- enforce.queue.queue_tenant_ticket_unique
ALTER TABLE "public"."queue" ADD CONSTRAINT "queue_tenant_ticket_unique" UNIQUE USING INDEX "queue_tenant_ticket_unique" DEFERRABLE INITIALLY DEFERRED;

-- enforce.queue.queue_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "queue_pkey_tenant" ON "public"."queue" USING btree ("tenant_id", "place");

-- enforce.queue.queue_tenant_id_fk
ALTER TABLE "public"."queue" ADD CONSTRAINT "queue_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.queue.queue_tenant_id_fk.validate
ALTER TABLE "public"."queue" VALIDATE CONSTRAINT "queue_tenant_id_fk";

-- enforce.queue.queue_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "queue_tenant_id_idx" ON "public"."queue" USING btree ("tenant_id");

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

-- observe.queue.analyze
ANALYZE "public"."queue" ("tenant_id");

-- observe.queue.isolate
CREATE POLICY "tenant_isolation" ON "public"."queue" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."queue" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('queue'))) WITH CHECK ((SELECT tenantry.observe('queue')));
ALTER TABLE "public"."queue" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."queue" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.queue.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."queue" TO "app_user";

-- cutover.queue.queue_rank_key.drop
ALTER TABLE "public"."queue" DROP CONSTRAINT "queue_rank_key";

-- cutover.queue.queue_ticket_key.drop
ALTER TABLE "public"."queue" DROP CONSTRAINT "queue_ticket_key";

-- cutover.queue.queue_pkey
ALTER TABLE "public"."queue" DROP CONSTRAINT "queue_pkey";
ALTER TABLE "public"."queue" ADD CONSTRAINT "queue_pkey" PRIMARY KEY USING INDEX "queue_pkey_tenant" DEFERRABLE INITIALLY DEFERRED;

-- cutover.queue.observe
DROP POLICY IF EXISTS "observe" ON "public"."queue";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.queue.tenant_id.default
ALTER TABLE "public"."queue" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
