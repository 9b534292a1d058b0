-- Existing rows get their tenant. Safe to run again: filled rows stay as they are.
-- Made by `tenantry render` from tenantry.toml; never edited by hand.

-- The owner of a table under FORCE ROW LEVEL SECURITY gets an error instead of no rows.
SET row_security = off;
--> statement-breakpoint
-- A table with a deferred check or trigger pending cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;
--> statement-breakpoint
-- Every row of api_keys belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.api_keys.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."api_keys" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of ratings belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.ratings.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."ratings" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of site_settings belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.site_settings.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."site_settings" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of skill_embeddings belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.skill_embeddings.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."skill_embeddings" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of skill_reviews belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.skill_reviews.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."skill_reviews" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of skill_versions belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.skill_versions.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."skill_versions" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of skills belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.skills.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."skills" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of usage_events belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.usage_events.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."usage_events" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
-- Every row of users belongs to tenant default-tenant-000-0000-000000000000.
-- Step backfill.users.tenant_id; lock ROW EXCLUSIVE.
UPDATE "public"."users" AS a SET "tenant_id" = 'default-tenant-000-0000-000000000000'::text
WHERE a."tenant_id" IS NULL;
--> statement-breakpoint
RESET row_security;
