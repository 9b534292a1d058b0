-- The journal, layout 1: what was done, when, by which plan. Empty lines part the statements, all of which run
-- in one transaction.

-- Not CREATE SCHEMA IF NOT EXISTS: that asks for CREATE on the database even if the schema is there.
DO $$
BEGIN
    IF pg_catalog.to_regnamespace('tenantry') IS NULL THEN
        CREATE SCHEMA tenantry;
    END IF;
END
$$;

REVOKE ALL ON SCHEMA tenantry FROM PUBLIC;

CREATE TABLE tenantry.journal_layout (version integer PRIMARY KEY);

INSERT INTO tenantry.journal_layout (version) VALUES (1);

CREATE TABLE tenantry.plans (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text NOT NULL,
    spec_digest text NOT NULL,
    catalog_digest text NOT NULL,
    profile text NOT NULL,
    body text NOT NULL, -- the saved form of the plan, byte for byte, so that its digest can be computed again
    applied_by text NOT NULL DEFAULT session_user,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    reverted_at timestamptz,
    paused text -- the phase after which it was to stop, or 'stop'; NULL: it runs, ended, or broke off
);

CREATE TABLE tenantry.steps (
    plan_id bigint NOT NULL REFERENCES tenantry.plans (id),
    ordinal integer NOT NULL, -- place in the plan, from 1
    step_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'failed', 'done', 'skipped', 'reverted')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    rows bigint NOT NULL DEFAULT 0,
    cursor jsonb, -- of a backfill, after its last committed batch: {"relation": 0, "next": 128, "last": 4096}
    pace jsonb, -- of a backfill, over all its tables: {"done": 128, "of": 4096, "rate": 52000.0, "left": 61.5}
    waits integer NOT NULL DEFAULT 0, -- tries and turns that ended without their lock
    retries integer NOT NULL DEFAULT 0,
    throttled double precision NOT NULL DEFAULT 0, -- seconds that the backfill gave way
    reason text, -- why it gave way at last
    error text,
    PRIMARY KEY (plan_id, ordinal)
);

-- A revert runs SQL that it reads here, so nobody else may write here, whatever default privileges grant.
DO $$
DECLARE
    other text;
BEGIN
    FOR other IN
        SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
        WHERE n.nspname = 'tenantry' AND a.grantee <> c.relowner
            AND c.relname IN ('journal_layout', 'plans', 'plans_id_seq', 'steps')
    LOOP
        EXECUTE 'REVOKE ALL ON tenantry.journal_layout, tenantry.plans, tenantry.steps FROM ' || other;
        EXECUTE 'REVOKE ALL ON SEQUENCE tenantry.plans_id_seq FROM ' || other;
    END LOOP;
END
$$;
