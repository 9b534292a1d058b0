-- No row without tenant_id; keys within a tenant; row level security.
-- Made by `tenantry render` from tenantry.toml; never edited by hand.

-- The owner of a table under FORCE ROW LEVEL SECURITY gets an error instead of no rows.
SET row_security = off;
--> statement-breakpoint
-- Every row of api_keys has a tenant.
-- Step enforce.api_keys.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."api_keys" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of ratings has a tenant.
-- Step enforce.ratings.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."ratings" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of site_settings has a tenant.
-- Step enforce.site_settings.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."site_settings" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of skill_embeddings has a tenant.
-- Step enforce.skill_embeddings.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of skill_reviews has a tenant.
-- Step enforce.skill_reviews.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of skill_versions has a tenant.
-- Step enforce.skill_versions.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_versions" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of skills has a tenant.
-- Step enforce.skills.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of usage_events has a tenant.
-- Step enforce.usage_events.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."usage_events" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- Every row of users has a tenant.
-- Step enforce.users.tenant_id.not_null; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."users" ALTER COLUMN "tenant_id" SET NOT NULL;
--> statement-breakpoint
-- skill_embeddings_skill_id_unique held across all customers; two of them may now use the same value.
-- Step enforce.skill_embeddings.skill_embeddings_tenant_skill_unique; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" ADD CONSTRAINT "skill_embeddings_tenant_skill_unique" UNIQUE ("tenant_id", "skill_id");
--> statement-breakpoint
-- skill_reviews_skill_id_unique held across all customers; two of them may now use the same value.
-- Step enforce.skill_reviews.skill_reviews_tenant_skill_unique; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" ADD CONSTRAINT "skill_reviews_tenant_skill_unique" UNIQUE ("tenant_id", "skill_id");
--> statement-breakpoint
-- skills_slug_unique held across all customers; two of them may now use the same value.
-- Step enforce.skills.skills_tenant_slug_unique; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_slug_unique" UNIQUE ("tenant_id", "slug");
--> statement-breakpoint
-- The tenant of every row of api_keys exists.
-- Step enforce.api_keys.api_keys_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."api_keys" ADD CONSTRAINT "api_keys_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of ratings exists.
-- Step enforce.ratings.ratings_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."ratings" ADD CONSTRAINT "ratings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of site_settings exists.
-- Step enforce.site_settings.site_settings_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."site_settings" ADD CONSTRAINT "site_settings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of skill_embeddings exists.
-- Step enforce.skill_embeddings.skill_embeddings_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" ADD CONSTRAINT "skill_embeddings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of skill_reviews exists.
-- Step enforce.skill_reviews.skill_reviews_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" ADD CONSTRAINT "skill_reviews_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of skill_versions exists.
-- Step enforce.skill_versions.skill_versions_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."skill_versions" ADD CONSTRAINT "skill_versions_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of skills exists.
-- Step enforce.skills.skills_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."skills" ADD CONSTRAINT "skills_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of usage_events exists.
-- Step enforce.usage_events.usage_events_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."usage_events" ADD CONSTRAINT "usage_events_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- The tenant of every row of users exists.
-- Step enforce.users.users_tenant_id_fk; lock SHARE ROW EXCLUSIVE.
ALTER TABLE "public"."users" ADD CONSTRAINT "users_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id");
--> statement-breakpoint
-- skill_embeddings_skill_id_unique would refuse a value that another customer already uses.
-- Step enforce.skill_embeddings.skill_embeddings_skill_id_unique.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_embeddings" DROP CONSTRAINT "skill_embeddings_skill_id_unique";
--> statement-breakpoint
-- skill_reviews_skill_id_unique would refuse a value that another customer already uses.
-- Step enforce.skill_reviews.skill_reviews_skill_id_unique.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skill_reviews" DROP CONSTRAINT "skill_reviews_skill_id_unique";
--> statement-breakpoint
-- skills_slug_unique would refuse a value that another customer already uses.
-- Step enforce.skills.skills_slug_unique.drop; lock ACCESS EXCLUSIVE.
ALTER TABLE "public"."skills" DROP CONSTRAINT "skills_slug_unique";
--> statement-breakpoint
-- Every query on api_keys asks for its tenant.
-- Step enforce.api_keys.api_keys_tenant_id_idx.build; lock SHARE.
CREATE INDEX "api_keys_tenant_id_idx" ON "public"."api_keys" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on ratings asks for its tenant.
-- Step enforce.ratings.ratings_tenant_id_idx.build; lock SHARE.
CREATE INDEX "ratings_tenant_id_idx" ON "public"."ratings" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on site_settings asks for its tenant.
-- Step enforce.site_settings.site_settings_tenant_id_idx.build; lock SHARE.
CREATE INDEX "site_settings_tenant_id_idx" ON "public"."site_settings" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on skill_embeddings asks for its tenant.
-- Step enforce.skill_embeddings.skill_embeddings_tenant_id_idx.build; lock SHARE.
CREATE INDEX "skill_embeddings_tenant_id_idx" ON "public"."skill_embeddings" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on skill_reviews asks for its tenant.
-- Step enforce.skill_reviews.skill_reviews_tenant_id_idx.build; lock SHARE.
CREATE INDEX "skill_reviews_tenant_id_idx" ON "public"."skill_reviews" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on skill_versions asks for its tenant.
-- Step enforce.skill_versions.skill_versions_tenant_id_idx.build; lock SHARE.
CREATE INDEX "skill_versions_tenant_id_idx" ON "public"."skill_versions" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on skills asks for its tenant.
-- Step enforce.skills.skills_tenant_id_idx.build; lock SHARE.
CREATE INDEX "skills_tenant_id_idx" ON "public"."skills" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on usage_events asks for its tenant.
-- Step enforce.usage_events.usage_events_tenant_id_idx.build; lock SHARE.
CREATE INDEX "usage_events_tenant_id_idx" ON "public"."usage_events" USING btree ("tenant_id");
--> statement-breakpoint
-- Every query on users asks for its tenant.
-- Step enforce.users.users_tenant_id_idx.build; lock SHARE.
CREATE INDEX "users_tenant_id_idx" ON "public"."users" USING btree ("tenant_id");
--> statement-breakpoint
-- The planner learns how many rows a tenant has in api_keys before every query asks for one.
-- Step enforce.api_keys.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."api_keys" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in api_keys, whatever the query says.
-- Step enforce.api_keys.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."api_keys" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."api_keys" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."api_keys" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in ratings before every query asks for one.
-- Step enforce.ratings.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."ratings" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in ratings, whatever the query says.
-- Step enforce.ratings.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."ratings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."ratings" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."ratings" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in site_settings before every query asks for one.
-- Step enforce.site_settings.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."site_settings" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in site_settings, whatever the query says.
-- Step enforce.site_settings.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."site_settings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."site_settings" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."site_settings" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in skill_embeddings before every query asks for one.
-- Step enforce.skill_embeddings.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."skill_embeddings" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in skill_embeddings, whatever the query says.
-- Step enforce.skill_embeddings.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."skill_embeddings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."skill_embeddings" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_embeddings" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in skill_reviews before every query asks for one.
-- Step enforce.skill_reviews.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."skill_reviews" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in skill_reviews, whatever the query says.
-- Step enforce.skill_reviews.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."skill_reviews" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_reviews" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in skill_versions before every query asks for one.
-- Step enforce.skill_versions.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."skill_versions" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in skill_versions, whatever the query says.
-- Step enforce.skill_versions.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."skill_versions" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."skill_versions" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skill_versions" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in skills before every query asks for one.
-- Step enforce.skills.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."skills" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in skills, whatever the query says.
-- Step enforce.skills.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."skills" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."skills" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."skills" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in usage_events before every query asks for one.
-- Step enforce.usage_events.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."usage_events" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in usage_events, whatever the query says.
-- Step enforce.usage_events.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."usage_events" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."usage_events" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."usage_events" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
-- The planner learns how many rows a tenant has in users before every query asks for one.
-- Step enforce.users.analyze; lock SHARE UPDATE EXCLUSIVE.
ANALYZE "public"."users" ("tenant_id");
--> statement-breakpoint
-- The database shows and takes only rows of the session's tenant in users, whatever the query says.
-- Step enforce.users.isolate; lock ACCESS EXCLUSIVE.
CREATE POLICY "tenant_isolation" ON "public"."users" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
--> statement-breakpoint
ALTER TABLE "public"."users" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "public"."users" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
RESET row_security;
