-- note: code to edit: ON CONFLICT (id) on settings becomes ON CONFLICT (tenant_id, id)
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

-- columns.Odd "docs".tenant_id
ALTER TABLE "public"."Odd ""docs""" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."Odd ""docs""" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.readings.tenant_id
ALTER TABLE "public"."readings" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- columns.settings.tenant_id
ALTER TABLE "public"."settings" ADD COLUMN "tenant_id" text DEFAULT 'first'::text;
ALTER TABLE "public"."settings" ALTER COLUMN "tenant_id" SET DEFAULT coalesce(nullif(current_setting('app.current_tenant_id', true), ''), 'first');

-- enforce.Odd "docs".tenant_id.check
ALTER TABLE "public"."Odd ""docs""" ADD CONSTRAINT "Odd ""docs""_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.Odd "docs".tenant_id.validate
ALTER TABLE "public"."Odd ""docs""" VALIDATE CONSTRAINT "Odd ""docs""_tenant_id_present";

-- enforce.Odd "docs".tenant_id.not_null
ALTER TABLE "public"."Odd ""docs""" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."Odd ""docs""" DROP CONSTRAINT "Odd ""docs""_tenant_id_present";

-- enforce.readings.tenant_id.check
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.readings.tenant_id.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_present";

-- enforce.readings.tenant_id.not_null
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."readings" DROP CONSTRAINT "readings_tenant_id_present";

-- enforce.settings.tenant_id.check
ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_tenant_id_present" CHECK ("tenant_id" IS NOT NULL) NOT VALID;

-- enforce.settings.tenant_id.validate
ALTER TABLE "public"."settings" VALIDATE CONSTRAINT "settings_tenant_id_present";

-- enforce.settings.tenant_id.not_null
ALTER TABLE "public"."settings" ALTER COLUMN "tenant_id" SET NOT NULL;
ALTER TABLE "public"."settings" DROP CONSTRAINT "settings_tenant_id_present";

-- enforce.settings.settings_pkey_tenant.build
CREATE UNIQUE INDEX CONCURRENTLY "settings_pkey_tenant" ON "public"."settings" USING btree ("tenant_id", "id");

-- enforce.Odd "docs".Odd "docs"_tenant_id_fk
ALTER TABLE "public"."Odd ""docs""" ADD CONSTRAINT "Odd ""docs""_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.Odd "docs".Odd "docs"_tenant_id_fk.validate
ALTER TABLE "public"."Odd ""docs""" VALIDATE CONSTRAINT "Odd ""docs""_tenant_id_fk";

-- enforce.readings.readings_tenant_id_fk
ALTER TABLE "public"."readings" ADD CONSTRAINT "readings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.readings.readings_tenant_id_fk.validate
ALTER TABLE "public"."readings" VALIDATE CONSTRAINT "readings_tenant_id_fk";

-- enforce.settings.settings_tenant_id_fk
ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants" ("id") NOT VALID;

-- enforce.settings.settings_tenant_id_fk.validate
ALTER TABLE "public"."settings" VALIDATE CONSTRAINT "settings_tenant_id_fk";

-- enforce.Odd "docs".Odd "docs"_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "Odd ""docs""_tenant_id_idx" ON "public"."Odd ""docs""" USING btree ("tenant_id");

-- enforce.readings_new.readings_new_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_new_tenant_id_idx" ON "public"."readings_new" USING btree ("tenant_id");

-- enforce.readings_old.readings_old_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "readings_old_tenant_id_idx" ON "public"."readings_old" USING btree ("tenant_id");

-- enforce.readings.readings_tenant_id_idx.build
CREATE INDEX "readings_tenant_id_idx" ON "public"."readings" USING btree ("tenant_id");

-- enforce.settings.settings_tenant_id_idx.build
CREATE INDEX CONCURRENTLY "settings_tenant_id_idx" ON "public"."settings" USING btree ("tenant_id");

-- harden.role.app_user
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app_user') THEN
    CREATE ROLE "app_user" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_owner
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_owner') THEN
    CREATE ROLE "case_owner" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- harden.role.case_searcher
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'case_searcher') THEN
    CREATE ROLE "case_searcher" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
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

-- observe.Odd "docs".analyze
ANALYZE "public"."Odd ""docs""" ("tenant_id");

-- observe.Odd "docs".isolate
CREATE POLICY "tenant_isolation" ON "public"."Odd ""docs""" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."Odd ""docs""" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('Odd "docs"'))) WITH CHECK ((SELECT tenantry.observe('Odd "docs"')));
ALTER TABLE "public"."Odd ""docs""" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."Odd ""docs""" FORCE ROW LEVEL SECURITY;

-- observe.readings_old.analyze
ANALYZE "public"."readings_old" ("tenant_id");

-- observe.readings_old.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_old" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_old" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_old'))) WITH CHECK ((SELECT tenantry.observe('readings_old')));
ALTER TABLE "public"."readings_old" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_old" FORCE ROW LEVEL SECURITY;

-- observe.readings_new.analyze
ANALYZE "public"."readings_new" ("tenant_id");

-- observe.readings_new.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings_new" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings_new" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings_new'))) WITH CHECK ((SELECT tenantry.observe('readings_new')));
ALTER TABLE "public"."readings_new" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings_new" FORCE ROW LEVEL SECURITY;

-- observe.readings.isolate
CREATE POLICY "tenant_isolation" ON "public"."readings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."readings" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('readings'))) WITH CHECK ((SELECT tenantry.observe('readings')));
ALTER TABLE "public"."readings" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."readings" FORCE ROW LEVEL SECURITY;

-- observe.settings.analyze
ANALYZE "public"."settings" ("tenant_id");

-- observe.settings.isolate
CREATE POLICY "tenant_isolation" ON "public"."settings" AS PERMISSIVE FOR ALL TO PUBLIC USING ("tenant_id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("tenant_id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."settings" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('settings'))) WITH CHECK ((SELECT tenantry.observe('settings')));
ALTER TABLE "public"."settings" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."settings" FORCE ROW LEVEL SECURITY;

-- observe.tenants.isolate
CREATE POLICY "tenant_isolation" ON "public"."tenants" AS PERMISSIVE FOR ALL TO PUBLIC USING ("id" = current_setting('app.current_tenant_id', true)) WITH CHECK ("id" = current_setting('app.current_tenant_id', true));
CREATE POLICY "observe" ON "public"."tenants" AS PERMISSIVE FOR ALL TO "tenantry_legacy" USING ((SELECT tenantry.observe('tenants'))) WITH CHECK ((SELECT tenantry.observe('tenants')));
ALTER TABLE "public"."tenants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "public"."tenants" FORCE ROW LEVEL SECURITY;

-- observe.schema.Ext tools.case_searcher
GRANT USAGE ON SCHEMA "Ext tools" TO "case_searcher";

-- observe.Odd "docs".search
CREATE POLICY "tenant_search" ON "public"."Odd ""docs""" AS PERMISSIVE FOR SELECT TO "case_searcher" USING (true);

-- observe.readings.search
CREATE POLICY "tenant_search" ON "public"."readings" AS PERMISSIVE FOR SELECT TO "case_searcher" USING (true);

-- observe.settings.search
CREATE POLICY "tenant_search" ON "public"."settings" AS PERMISSIVE FOR SELECT TO "case_searcher" USING (true);

-- observe.Odd "docs".search.columns
GRANT SELECT ("Id", "tenant_id", "Title (en)", "found", "kind", "order") ON TABLE "public"."Odd ""docs""" TO "case_searcher";

-- observe.readings.search.columns
GRANT SELECT ("day", "id", "tenant_id", "tags") ON TABLE "public"."readings" TO "case_searcher";

-- observe.settings.search.columns
GRANT SELECT ("id", "tenant_id", "value") ON TABLE "public"."settings" TO "case_searcher";

-- observe.search.close_title
CREATE FUNCTION "public"."close_title"("wanted" text, "max_rows" integer DEFAULT NULL, "skip_rows" integer DEFAULT 0) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS '
#variable_conflict use_column
BEGIN
RETURN QUERY SELECT "Id" FROM "public"."Odd ""docs"""
WHERE "tenant_id" = current_setting(''app.current_tenant_id'', true)
AND ("Title (en)" OPERATOR("Ext tools".%) wanted)
ORDER BY "Title (en)" OPERATOR("Ext tools".<->) wanted, "Id"
LIMIT $2 OFFSET $3;
END';
REVOKE ALL ON FUNCTION "public"."close_title"(text, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."close_title"(text, integer, integer) TO "app_user";
ALTER FUNCTION "public"."close_title"(text, integer, integer) OWNER TO "case_searcher";

-- observe.search.like_title
CREATE FUNCTION "public"."like_title"("part" text, "max_rows" integer DEFAULT NULL, "skip_rows" integer DEFAULT 0) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS '
#variable_conflict use_column
BEGIN
RETURN QUERY SELECT "Id" FROM "public"."Odd ""docs"""
WHERE "tenant_id" = current_setting(''app.current_tenant_id'', true)
AND ("Title (en)" ILIKE ''%'' || part || ''%'' )
ORDER BY "Id"
LIMIT $2 OFFSET $3;
END';
REVOKE ALL ON FUNCTION "public"."like_title"(text, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."like_title"(text, integer, integer) TO "app_user";
ALTER FUNCTION "public"."like_title"(text, integer, integer) OWNER TO "case_searcher";

-- observe.search.readings_with
CREATE FUNCTION "public"."readings_with"("wanted" jsonb, "max_rows" integer DEFAULT NULL, "skip_rows" integer DEFAULT 0) RETURNS TABLE ("day" date, "id" integer)
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS '
#variable_conflict use_column
BEGIN
RETURN QUERY SELECT "day", "id" FROM "public"."readings"
WHERE "tenant_id" = current_setting(''app.current_tenant_id'', true)
AND (tags @> wanted)
ORDER BY "day", "id"
LIMIT $2 OFFSET $3;
END';
REVOKE ALL ON FUNCTION "public"."readings_with"(jsonb, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."readings_with"(jsonb, integer, integer) TO "app_user";
ALTER FUNCTION "public"."readings_with"(jsonb, integer, integer) OWNER TO "case_searcher";

-- observe.search.search docs
CREATE FUNCTION "public"."search docs"("words" text, "of_kind" text, "max_rows" integer DEFAULT NULL, "skip_rows" integer DEFAULT 0) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS '
#variable_conflict use_column
BEGIN
RETURN QUERY SELECT "Id" FROM "public"."Odd ""docs"""
WHERE "tenant_id" = current_setting(''app.current_tenant_id'', true)
AND (found @@ websearch_to_tsquery(''english'', words) AND (of_kind IS NULL OR kind = of_kind))
ORDER BY ts_rank(found, websearch_to_tsquery(''english'', words)) DESC, "order", "Id"
LIMIT $3 OFFSET $4;
END';
REVOKE ALL ON FUNCTION "public"."search docs"(text, text, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."search docs"(text, text, integer, integer) TO "app_user";
ALTER FUNCTION "public"."search docs"(text, text, integer, integer) OWNER TO "case_searcher";

-- observe.search.settings_like
CREATE FUNCTION "public"."settings_like"("part" text, "max_rows" integer DEFAULT NULL, "skip_rows" integer DEFAULT 0) RETURNS SETOF character varying
LANGUAGE plpgsql STABLE ROWS 20 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS '
#variable_conflict use_column
BEGIN
RETURN QUERY SELECT "id" FROM "public"."settings"
WHERE "tenant_id" = current_setting(''app.current_tenant_id'', true)
AND (value LIKE part || ''%'')
ORDER BY "id"
LIMIT $2 OFFSET $3;
END';
REVOKE ALL ON FUNCTION "public"."settings_like"(text, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "public"."settings_like"(text, integer, integer) TO "app_user";
ALTER FUNCTION "public"."settings_like"(text, integer, integer) OWNER TO "case_searcher";

-- observe.tenants.grants
GRANT SELECT ON TABLE "public"."tenants" TO "app_user";

-- observe.Odd "docs".grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."Odd ""docs""" TO "app_user";

-- observe.readings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."readings" TO "app_user";

-- observe.settings.grants
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."settings" TO "app_user";

-- cutover.settings.settings_pkey
ALTER TABLE "public"."settings" DROP CONSTRAINT "settings_pkey";
ALTER TABLE "public"."settings" ADD CONSTRAINT "settings_pkey" PRIMARY KEY USING INDEX "settings_pkey_tenant";

-- cutover.Odd "docs".observe
DROP POLICY IF EXISTS "observe" ON "public"."Odd ""docs""";

-- cutover.readings.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings";

-- cutover.readings_new.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_new";

-- cutover.readings_old.observe
DROP POLICY IF EXISTS "observe" ON "public"."readings_old";

-- cutover.settings.observe
DROP POLICY IF EXISTS "observe" ON "public"."settings";

-- cutover.tenants.observe
DROP POLICY IF EXISTS "observe" ON "public"."tenants";
DO $$ BEGIN
  DROP ROLE IF EXISTS "tenantry_legacy";
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE NOTICE 'role % is still used by another database and stays', 'tenantry_legacy';
END $$;

-- cutover.Odd "docs".tenant_id.default
ALTER TABLE "public"."Odd ""docs""" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.readings.tenant_id.default
ALTER TABLE "public"."readings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.settings.tenant_id.default
ALTER TABLE "public"."settings" ALTER COLUMN "tenant_id" SET DEFAULT nullif(current_setting('app.current_tenant_id', true), '');

-- cutover.tenants.owner
ALTER TABLE "public"."tenants" OWNER TO "case_owner";

-- cutover.Odd "docs".owner
ALTER TABLE "public"."Odd ""docs""" OWNER TO "case_owner";

-- cutover.readings.owner
ALTER TABLE "public"."readings" OWNER TO "case_owner";

-- cutover.readings_new.owner
ALTER TABLE "public"."readings_new" OWNER TO "case_owner";

-- cutover.readings_old.owner
ALTER TABLE "public"."readings_old" OWNER TO "case_owner";

-- cutover.settings.owner
ALTER TABLE "public"."settings" OWNER TO "case_owner";
