-- The tenants table and the tenants that are there from the start.
-- Made by `tenantry render` from tenantry.toml; never edited by hand.

-- The owner of a table under FORCE ROW LEVEL SECURITY gets an error instead of no rows.
SET row_security = off;
--> statement-breakpoint
-- A table with a deferred check or trigger pending cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;
--> statement-breakpoint
-- Every customer is one row here; tenant columns point at it.
-- Step tenants.create; no table lock.
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
--> statement-breakpoint
-- The tenant that existing rows belong to: default.
-- Step tenants.default; lock ROW EXCLUSIVE.
INSERT INTO "public"."tenants" ("id", name, slug)
VALUES ('default-tenant-000-0000-000000000000', 'Default', 'default')
ON CONFLICT DO NOTHING;
--> statement-breakpoint
RESET row_security;
