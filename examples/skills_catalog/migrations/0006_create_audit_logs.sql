-- The audit trail, append-only.
-- Made by `tenantry render` from tenantry.toml; never edited by hand.

-- The owner of a table under FORCE ROW LEVEL SECURITY gets an error instead of no rows.
SET row_security = off;
--> statement-breakpoint
-- Who did what, in which tenant, from where. No foreign key: nothing that is deleted may take its trail along.
-- Step audit.create; no table lock.
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
--> statement-breakpoint
-- The newest events of one tenant are read often.
-- Step audit.audit_logs_tenant_created_idx; lock SHARE.
CREATE INDEX "audit_logs_tenant_created_idx" ON "public"."audit_logs" USING btree ("tenant_id", "created_at" DESC);
--> statement-breakpoint
-- The newest events of one actor are read often.
-- Step audit.audit_logs_actor_idx; lock SHARE.
CREATE INDEX "audit_logs_actor_idx" ON "public"."audit_logs" USING btree ("actor_id", "created_at" DESC);
--> statement-breakpoint
-- The newest events of one action are read often.
-- Step audit.audit_logs_action_idx; lock SHARE.
CREATE INDEX "audit_logs_action_idx" ON "public"."audit_logs" USING btree ("action", "created_at" DESC);
--> statement-breakpoint
-- What the guards of the trail call: it always refuses.
-- Step audit.prevent_audit_modification; no table lock.
CREATE OR REPLACE FUNCTION "public"."prevent_audit_modification"() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'Direct modification of audit_logs is forbidden';
END
$$;
--> statement-breakpoint
-- An event is never changed or removed.
-- Step audit.audit_logs.no_audit_update; lock SHARE ROW EXCLUSIVE.
CREATE TRIGGER "no_audit_update" BEFORE UPDATE OR DELETE ON "public"."audit_logs" FOR EACH ROW EXECUTE FUNCTION "public"."prevent_audit_modification"();
--> statement-breakpoint
RESET row_security;
