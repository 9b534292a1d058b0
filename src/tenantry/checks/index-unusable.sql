-- id: 902
-- slug: index-unusable
-- level: warning
-- title: An index that row level security keeps from being used
-- controls: SOC 2 A1.1
-- needs: tenancy
-- why: A function or an operator that is not leakproof may not run before the policy, so it cannot be an index
--   condition. Queries then look at all rows of the tenant (measured: 10 to 80 times slower for one with 10 000).
-- fix: For an expression such as lower(x), a stored generated column and an index (tenant_id, column): measured 22 ms
--   to 0.4 ms. For enum, numeric and citext, an index (tenant_id, x), where the value filters within the index: 47 ms
--   to 6.8 ms. For full text, jsonb, arrays, ranges and trigrams, [searches] in the spec: a function that returns
--   the keys of the session's tenant, joined back under the policy: 46 ms to 1.5 ms; an index that names the tenant too
--   does not help there. No superuser is needed. An index that a search is about is not named here.
-- sabotage:
--   CREATE INDEX sabotage ON {table} (pg_catalog.lower({key}::text));
WITH keys AS (
    SELECT mine.label, c.relname AS name, m.amname AS method, i.indexrelid, i.indexprs, i.indrelid, o.opclass, k.key, k.n
    FROM mine
    JOIN pg_catalog.pg_index AS i ON i.indrelid = mine.oid AND i.indisvalid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND NOT c.relispartition
    JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::pg_catalog.int2[]), pg_catalog.unnest(i.indclass::pg_catalog.oid[]))
        WITH ORDINALITY AS k (key, opclass_, n)
    CROSS JOIN LATERAL (SELECT k.opclass_ AS opclass) AS o
    WHERE mine.scope IN ('tenant', 'trail') AND k.n <= i.indnkeyatts AND NOT i.indisexclusion
      AND NOT (m.amname = 'btree' AND i.indkey[0] = mine.col)
      AND m.amname NOT IN ('hnsw', 'ivfflat', 'diskann') AND k.key IS DISTINCT FROM mine.col
      AND NOT EXISTS (
          SELECT FROM param
          CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(param.p -> 'searched') AS s (oid pg_catalog.int8, columns pg_catalog.int2[])
          WHERE s.oid = mine.oid::pg_catalog.int8 AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_depend AS d
              WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = i.indrelid
                AND d.refobjsubid <> 0 AND d.refobjsubid <> ALL (s.columns) AND d.refobjsubid <> mine.col
          )
      )
), lost AS (
    SELECT keys.label, keys.name, format_type(coalesce(nullif(c.opckeytype, 0), c.opcintype), NULL) AS what
    FROM keys
    JOIN pg_catalog.pg_opclass AS c ON c.oid = keys.opclass
    WHERE CASE
        WHEN keys.method IN ('btree', 'hash') THEN NOT EXISTS (
            SELECT FROM pg_catalog.pg_amop AS o
            JOIN pg_catalog.pg_operator AS op ON op.oid = o.amopopr
            JOIN pg_catalog.pg_proc AS f ON f.oid = op.oprcode
            WHERE o.amopfamily = c.opcfamily AND o.amoplefttype = c.opcintype AND o.amoprighttype = c.opcintype
              AND op.oprname = '=' AND f.proleakproof
        )
        WHEN keys.method = 'brin' THEN false
        ELSE EXISTS (
            SELECT FROM pg_catalog.pg_amop AS o
            JOIN pg_catalog.pg_operator AS op ON op.oid = o.amopopr
            JOIN pg_catalog.pg_proc AS f ON f.oid = op.oprcode
            WHERE o.amopfamily = c.opcfamily AND o.amoppurpose = 's' AND NOT f.proleakproof
        )
    END
    UNION ALL
    SELECT keys.label, keys.name, f.proname || '()'
    FROM keys
    CROSS JOIN LATERAL pg_catalog.regexp_matches(keys.indexprs::pg_catalog.text, ':(?:op)?funcid (\d+)', 'g') AS found (oid)
    JOIN pg_catalog.pg_proc AS f ON f.oid = found.oid[1]::pg_catalog.oid AND NOT f.proleakproof
    WHERE keys.key = 0
)
SELECT label AS object, name AS detail,
    pg_catalog.format('%s on %s serves no query of a tenant: not leakproof for %s', name, label, pg_catalog.string_agg(DISTINCT what, ', ')) AS message
FROM lost
GROUP BY label, name;
