-- Yields one row: equality (oids of the built-in equality operators), settings (oids of current_setting).
SELECT
    ARRAY(
        SELECT o.amopopr
        FROM pg_catalog.pg_amop AS o
        JOIN pg_catalog.pg_am AS m ON m.oid = o.amopmethod AND m.amname = 'btree'
        WHERE o.amopstrategy = 3 AND o.amopopr < 16384
        ORDER BY o.amopopr
    ) AS equality,
    ARRAY[
        'pg_catalog.current_setting(text)'::pg_catalog.regprocedure::pg_catalog.oid,
        'pg_catalog.current_setting(text,bool)'::pg_catalog.regprocedure::pg_catalog.oid
    ] AS settings;
