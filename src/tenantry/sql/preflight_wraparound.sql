-- Tables old enough that an autovacuum which prevents wraparound, and gives way to nobody, may begin during the plan.
-- Yields: level, object, message.
WITH aged AS (
    SELECT
        c.oid,
        greatest(pg_catalog.age(c.relfrozenxid), pg_catalog.age(t.relfrozenxid)) AS xids,
        greatest(pg_catalog.mxid_age(c.relminmxid), pg_catalog.mxid_age(t.relminmxid)) AS mxids,
        (
            SELECT least(pg_catalog.min(o.option_value::pg_catalog.int8), s.setting::pg_catalog.int8)
            FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
            WHERE o.option_name = 'autovacuum_freeze_max_age'
        ) AS xids_limit,
        m.setting::pg_catalog.int8 AS mxids_limit
    FROM pg_catalog.pg_class AS c
    LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
    JOIN pg_catalog.pg_settings AS s ON s.name = 'autovacuum_freeze_max_age'
    JOIN pg_catalog.pg_settings AS m ON m.name = 'autovacuum_multixact_freeze_max_age'
    WHERE c.oid = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[]) AND c.relkind = 'r'
)
SELECT
    CASE WHEN greatest(xids, mxids) > 1600000000 THEN 'stop' ELSE 'warn' END AS level,
    oid::pg_catalog.regclass::pg_catalog.text AS object,
    'is ' || xids || ' transactions (' || mxids || ' multixacts) old: an autovacuum that prevents wraparound, and gives '
    || 'way to no lock, begins at ' || xids_limit || ' (' || mxids_limit || '); run VACUUM (FREEZE) on it first' AS message
FROM aged
WHERE xids > xids_limit * 0.9 OR mxids > mxids_limit * 0.9
ORDER BY 2;
