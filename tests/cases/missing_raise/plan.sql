-- note: code to edit: ON CONFLICT (email) on users becomes ON CONFLICT (tenant_id, email)
-- note: code to edit: what looks for users_email in an error meets users_tenant_email_unique, without a DETAIL
-- note: code to edit: COPY … FROM, which PostgreSQL refuses on a table with row level security for every role that policies bind; use INSERT
-- note: role app_user: is made without a password; set one ('app_user' cannot log in over a password line of pg_hba.conf until then)

-- tenants.role.case_context
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_context') THEN
    CREATE ROLE "case_context" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- tenants.schema.tenant_context
CREATE SCHEMA "tenant_context" AUTHORIZATION "case_context";
GRANT USAGE ON SCHEMA "tenant_context" TO PUBLIC;

-- tenants.tenant_context.no_tenant
CREATE OR REPLACE FUNCTION "tenant_context"."no_tenant"() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- Whoever has a policy of its own sees rows by that one: observe mode, resolvers, the trail's owner, system work.
  IF EXISTS (
    SELECT FROM pg_policy AS p CROSS JOIN LATERAL unnest(p.polroles) AS r (oid)
    WHERE p.polpermissive AND r.oid <> 0 AND pg_has_role(current_user, r.oid, 'USAGE')
  ) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is not set, and this work belongs to a tenant', 'app.current_tenant_id' USING ERRCODE = '42501',
    HINT = 'Begin the transaction inside a tenant''s scope; work across tenants is for the login of [roles] system.';
END
$$;
ALTER FUNCTION "tenant_context"."no_tenant"() OWNER TO "case_context";
GRANT EXECUTE ON FUNCTION "tenant_context"."no_tenant"() TO PUBLIC;

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

-- columns.orders.customer_tenant
ALTER TABLE "public"."orders" ADD COLUMN "customer_tenant" text DEFAULT 'first'::text;
ALTER TABLE "public"."orders" ALTER COLUMN "customer_tenant" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.users.tenant_id
ALTER TABLE "public"."users" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.orders.customer_tenant.check
ALTER TABLE "public"."orders" ADD CONSTRAINT "orders_customer_tenant_present" CHECK ("customer_tenant" IS NOT NULL) NOT VALID;

-- enforce.orders.customer_tenant.validate
ALTER TABLE "public"."orders" VALIDATE CONSTRAINT "orders_customer_tenant_present";

-- enforce.orders.customer_tenant.not_null
ALTER TABLE "public"."orders" ALTER COLUMN "customer_tenant" SET NOT NULL;
ALTER TABLE "public"."orders" DROP CONSTRAINT "orders_customer_tenant_present";

-- enforce.users.tenant_id.check
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.users.tenant_id.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_present";

-- enforce.users.tenant_id.not_null
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."users" DROP CONSTRAINT "users_tenant_id_present";

-- enforce.users.users_tenant_email_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_email_unique" ON "public"."users" USING btree ("tenant_id", "email");

-- enforce.users.users_tenant_email_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_email_unique" UNIQUE USING INDEX "users_tenant_email_unique";

-- enforce.users.users_tenant_id_unique.build
CREATE UNIQUE INDEX CONCURRENTLY "users_tenant_id_unique" ON "public"."users" USING btree ("tenant_id", "id");

-- enforce.users.users_tenant_id_unique
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_unique" UNIQUE USING INDEX "users_tenant_id_unique";

-- enforce.orders.orders_customer_tenant_fk
ALTER TABLE "public"."orders" ADD CONSTRAINT "orders_customer_tenant_fk" FOREIGN KEY ("customer_tenant") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.orders.orders_customer_tenant_fk.validate
ALTER TABLE "public"."orders" VALIDATE CONSTRAINT "orders_customer_tenant_fk";

-- enforce.users.users_tenant_id_fk
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.users.users_tenant_id_fk.validate
ALTER TABLE "public"."users" VALIDATE CONSTRAINT "users_tenant_id_fk";

-- enforce.orders.orders_tenant_user_fk
ALTER TABLE "public"."orders" ADD CONSTRAINT "orders_tenant_user_fk" FOREIGN KEY ("customer_tenant", "user_id") REFERENCES "public"."users" ("tenant_id", "id") NOT VALID;

-- enforce.orders.orders_tenant_user_fk.validate
ALTER TABLE "public"."orders" VALIDATE CONSTRAINT "orders_tenant_user_fk";

-- enforce.orders.orders_user_id_fk.drop
ALTER TABLE "public"."orders" DROP CONSTRAINT "orders_user_id_fk";

-- enforce.orders.orders_customer_tenant_idx.build
CREATE INDEX CONCURRENTLY "orders_customer_tenant_idx" ON "public"."orders" USING btree ("customer_tenant");

-- enforce.users.users_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "users_tenant_id_idx" ON "public"."users" USING btree ("tenant_id");

-- audit.create
CREATE TABLE "public"."audit_logs" (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  actor_id text,
  tenant_id text,
  action text NOT NULL,
  resource_type text,
  resource_id text,
  ip_address text,
  metadata jsonb,
  created_at timestamp with time zone NOT NULL DEFAULT now()
);

-- audit.audit_logs_tenant_created_idx
CREATE INDEX CONCURRENTLY "audit_logs_tenant_created_idx" ON "public"."audit_logs" USING btree ("tenant_id", "created_at" DESC);

-- audit.audit_logs_actor_idx
CREATE INDEX CONCURRENTLY "audit_logs_actor_idx" ON "public"."audit_logs" USING btree ("actor_id", "created_at" DESC);

-- audit.audit_logs_action_idx
CREATE INDEX CONCURRENTLY "audit_logs_action_idx" ON "public"."audit_logs" USING btree ("action", "created_at" DESC);

-- audit.prevent_audit_modification
CREATE OR REPLACE FUNCTION "public"."prevent_audit_modification"() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'Direct modification of audit_logs is forbidden';
END
$$;

-- audit.audit_logs.no_audit_update
CREATE TRIGGER "no_audit_update" BEFORE UPDATE OR DELETE ON "public"."audit_logs" FOR EACH ROW EXECUTE FUNCTION "public"."prevent_audit_modification"();

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.audit_logs.no_audit_statement
CREATE TRIGGER "no_audit_statement" BEFORE UPDATE OR DELETE ON "public"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "public"."prevent_audit_modification"();

-- harden.audit_logs.no_audit_truncate
CREATE TRIGGER "no_audit_truncate" BEFORE TRUNCATE ON "public"."audit_logs" FOR EACH STATEMENT EXECUTE FUNCTION "public"."prevent_audit_modification"();

-- harden.audit_logs.no_audit_update.always
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_update";

-- harden.audit_logs.no_audit_statement.always
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_statement";

-- harden.audit_logs.no_audit_truncate.always
ALTER TABLE "public"."audit_logs" ENABLE ALWAYS TRIGGER "no_audit_truncate";

-- harden.audit_logs.tenant_id.check
ALTER TABLE "public"."audit_logs" ADD CONSTRAINT "audit_logs_tenant_id_not_empty" CHECK ("tenant_id" <> '') NOT VALID;

-- harden.audit_logs.tenant_id.validate
ALTER TABLE "public"."audit_logs" VALIDATE CONSTRAINT "audit_logs_tenant_id_not_empty";

-- observe.role
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantry_legacy') THEN
    CREATE ROLE "tenantry_legacy" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- observe.function

-- observe.orders.analyze
ANALYZE "public"."orders" ("customer_tenant");

-- observe.orders.isolate
CREATE POLICY "tenant_isolation" ON "public"."orders" AS PERMISSIVE FOR ALL TO PUBLIC USING ("customer_tenant" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"())) WITH CHECK ("customer_tenant" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"()));
CREATE POLICY "observe" ON "public"."orders" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('orders'))) WITH CHECK ((SELECT tenantry.observe('orders')));
ALTER TABLE "public"."orders" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."orders" FORCE ROW LEVEL SECURITY;

-- observe.users.analyze
ANALYZE "public"."users" ("tenant_id");

-- observe.users.isolate
CREATE POLICY "tenant_isolation" ON "public"."users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"())) WITH CHECK ("tenant_id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"()));
CREATE POLICY "observe" ON "public"."users" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('users'))) WITH CHECK ((SELECT tenantry.observe('users')));
ALTER TABLE "public"."users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;

-- observe.sessions.isolate
CREATE POLICY "tenant_isolation" ON "public"."sessions" AS PERMISSIVE FOR ALL TO PUBLIC USING (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"()))) WITH CHECK (EXISTS (SELECT 1 FROM "public"."users" p WHERE p."id" = "public"."sessions"."user_id" AND p."tenant_id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"())));
CREATE POLICY "observe" ON "public"."sessions" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('sessions'))) WITH CHECK ((SELECT tenantry.observe('sessions')));
ALTER TABLE "public"."sessions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."sessions" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"())) WITH CHECK ("id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"()));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.audit_logs.isolate
CREATE POLICY "tenant_isolation" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"())) WITH CHECK ("tenant_id" = coalesce(nullif(current_setting('app.current_tenant_id', true), ''), "tenant_context"."no_tenant"()));
CREATE POLICY "observe" ON "public"."audit_logs" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('audit_logs'))) WITH CHECK ((SELECT tenantry.observe('audit_logs')));
ALTER TABLE "public"."audit_logs" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."audit_logs" FORCE ROW LEVEL SECURITY;

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.orders.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."orders" TO "app_user";

-- observe.users.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."users" TO "app_user";

-- observe.sessions.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."sessions" TO "app_user";

-- observe.audit_logs.grants
GRANT SELECT, INSERT ON TABLE "public"."audit_logs" TO "app_user";

-- cutover.users.users_email.drop
ALTER TABLE "public"."users" DROP CONSTRAINT "users_email";

-- cutover.orders.observe
DROP POLICY IF EXISTS "observe" ON "public"."orders";

-- cutover.users.observe
DROP POLICY IF EXISTS "observe" ON "public"."users";

-- cutover.sessions.observe
DROP POLICY IF EXISTS "observe" ON "public"."sessions";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";

-- cutover.audit_logs.observe
DROP POLICY IF EXISTS "observe" ON "public"."audit_logs";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.orders.customer_tenant.default
ALTER TABLE "public"."orders" ALTER COLUMN "customer_tenant" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.users.tenant_id.default
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');
