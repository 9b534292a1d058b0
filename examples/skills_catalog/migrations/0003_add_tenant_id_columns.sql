-- The column tenant_id on the tenant tables; it may still be empty.
-- Made by `tenantry render` from tenantry.toml; never edited by hand.

-- The owner of a table under FORCE ROW LEVEL SECURITY gets an error instead of no rows.
SET row_security = off;
--> statement-breakpoint
-- api_keys belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.api_keys.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."api_keys" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."api_keys" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- ratings belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.ratings.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."ratings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- site_settings belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.site_settings.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."site_settings" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."site_settings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- skill_embeddings belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.skill_embeddings.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."skill_embeddings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- skill_reviews belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.skill_reviews.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- skill_versions belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.skill_versions.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."skill_versions" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- skills belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.skills.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- usage_events belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.usage_events.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."usage_events" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."usage_events" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
-- users belongs to tenants. Rows written meanwhile take the session's tenant, else the tenant of the existing rows.
-- Step columns.users.tenant_id; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."users" ADD COLUMN "tenant_id" text;
--> statement-breakpoint
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'default-tenant-000-0000-000000000000');
--> statement-breakpoint
RESET row_security;
