-- The seal, format 1: what was sealed, and the statements signed about it. Empty lines part the statements, all of
-- which run in one transaction. Nothing here is ever changed or removed.

DO $$
BEGIN
    IF pg_catalog.to_regnamespace('tenantry_audit') IS NULL THEN
        CREATE SCHEMA tenantry_audit;
    END IF;
END
$$;

REVOKE ALL ON SCHEMA tenantry_audit FROM PUBLIC;

CREATE TABLE tenantry_audit.format (version integer PRIMARY KEY);

INSERT INTO tenantry_audit.format (version) VALUES (1);

-- The leaves of the log tree, numbered from 0 without a gap: batches, eras, keys, retirements.
CREATE TABLE tenantry_audit.log (
    n bigint PRIMARY KEY CHECK (n >= 0),
    kind text NOT NULL,
    body text NOT NULL, -- what is hashed
    details text -- of a batch: what its body has the digest of, and no tenant is shown
);

-- The events of one tenant in one batch, in order. NULL is the tenant of events that belong to none.
CREATE TABLE tenantry_audit.subtrees (
    batch bigint NOT NULL REFERENCES tenantry_audit.log (n),
    place integer NOT NULL, -- among the leaves of the batch's tree
    tenant text,
    leaves bytea NOT NULL, -- 32 bytes for each event
    keys text[] NOT NULL, -- the id of each event
    PRIMARY KEY (batch, place)
);

CREATE TABLE tenantry_audit.layouts (
    digest text PRIMARY KEY, -- SHA-256 of the body, hexadecimal
    body text NOT NULL -- JSON: the columns that are hashed, the partitions, what guards the trail
);

CREATE TABLE tenantry_audit.checkpoints (
    size bigint PRIMARY KEY,
    note text NOT NULL, -- the signed checkpoint
    frontier bytea NOT NULL -- the perfect parts of the log tree at this size
);

-- Which sealed events went with a partition whose archive was verified.
CREATE TABLE tenantry_audit.retired (
    record bigint NOT NULL REFERENCES tenantry_audit.log (n),
    batch bigint NOT NULL,
    place integer NOT NULL,
    positions integer[] NOT NULL, -- in the subtree, from 0
    PRIMARY KEY (record, batch, place)
);

CREATE FUNCTION tenantry_audit.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['format', 'log', 'subtrees', 'layouts', 'checkpoints', 'retired'] LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE'
            ' ON tenantry_audit.%I FOR EACH STATEMENT EXECUTE FUNCTION tenantry_audit.refuse()', name);
        EXECUTE pg_catalog.format('ALTER TABLE tenantry_audit.%I ENABLE ALWAYS TRIGGER append_only', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON tenantry_audit.%I FROM PUBLIC', name);
    END LOOP;
END
$$;

-- Hashes do not compress.
ALTER TABLE tenantry_audit.subtrees ALTER COLUMN leaves SET STORAGE EXTERNAL;

-- Whoever owns the trail apart from everybody who logs in owns its seal too.
DO $$
DECLARE
    name text;
BEGIN
    IF pg_catalog.to_regrole('audit_owner') IS NULL
        OR NOT pg_catalog.pg_has_role(current_user, 'audit_owner', 'MEMBER') THEN
        RETURN;
    END IF;
    FOREACH name IN ARRAY ARRAY['format', 'log', 'subtrees', 'layouts', 'checkpoints', 'retired'] LOOP
        EXECUTE pg_catalog.format('ALTER TABLE tenantry_audit.%I OWNER TO audit_owner', name);
    END LOOP;
    ALTER FUNCTION tenantry_audit.refuse() OWNER TO audit_owner;
    ALTER SCHEMA tenantry_audit OWNER TO audit_owner;
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA tenantry_audit TO %I', current_user);
    EXECUTE pg_catalog.format('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA tenantry_audit TO %I', current_user);
END
$$;
