-- What protects a trail: one row, none when there is no such table. Parameters: schema, name, app (a role, or NULL).
-- Yields: for UPDATE, DELETE and TRUNCATE whether a guard refuses each on every part (row or statement); whether the
-- guards of every part fire always; the owner of the table, and whether anybody may be it; the schema's owner, and
-- whether anybody may be it; whether all three event triggers are there and fire always; whether the application
-- has rights to change events, and whether it may give what makes a forgery (NULL where there is no such role).
WITH RECURSIVE part AS (
    SELECT c.oid, c.relowner, n.nspowner, true AS root
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT i.inhrelid, part.relowner, part.nspowner, false
    FROM pg_catalog.pg_inherits AS i
    JOIN part ON part.oid = i.inhparent
), guard AS (
    -- BEFORE triggers that raise; the bits of tgtype: 2 before, 8 delete, 16 update, 32 truncate.
    SELECT t.tgrelid, t.tgtype, t.tgenabled
    FROM pg_catalog.pg_trigger AS t
    JOIN part ON part.oid = t.tgrelid
    JOIN pg_catalog.pg_proc AS f ON f.oid = t.tgfoid
    WHERE NOT t.tgisinternal AND t.tgtype & 2 <> 0 AND t.tgtype & 56 <> 0 AND t.tgenabled IN ('O', 'A')
      AND t.tgqual IS NULL AND t.tgattr = '' AND f.prosrc ~* '\mraise\M'
), may_be AS (
    -- Roles that somebody who is no superuser logs in as, or may become.
    SELECT r.oid
    FROM pg_catalog.pg_roles AS r
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_roles AS l
        WHERE l.rolcanlogin AND NOT l.rolsuper AND pg_catalog.pg_has_role(l.oid, r.oid, 'MEMBER')
    )
)
SELECT
    NOT EXISTS (SELECT FROM part AS p WHERE NOT EXISTS (SELECT FROM guard AS g WHERE g.tgrelid = p.oid AND g.tgtype & 16 <> 0)),
    NOT EXISTS (SELECT FROM part AS p WHERE NOT EXISTS (SELECT FROM guard AS g WHERE g.tgrelid = p.oid AND g.tgtype & 8 <> 0)),
    NOT EXISTS (SELECT FROM part AS p WHERE NOT EXISTS (SELECT FROM guard AS g WHERE g.tgrelid = p.oid AND g.tgtype & 32 <> 0)),
    NOT EXISTS (SELECT FROM guard AS g WHERE g.tgenabled <> 'A'),
    pg_catalog.pg_get_userbyid(root.relowner)::text,
    root.relowner IN (SELECT oid FROM may_be),
    pg_catalog.pg_get_userbyid(root.nspowner)::text,
    root.nspowner IN (SELECT oid FROM may_be) OR root.nspowner = 'pg_database_owner'::pg_catalog.regrole AND EXISTS (
        SELECT FROM pg_catalog.pg_database AS d
        WHERE d.datname = pg_catalog.current_database() AND d.datdba IN (SELECT oid FROM may_be)
    ),
    (
        SELECT count(*) = 3 FROM pg_catalog.pg_event_trigger AS e
        WHERE e.evtname IN ('audit_guard_ddl', 'audit_guard_drop', 'audit_guard_rewrite') AND e.evtenabled = 'A'
    ),
    app.oid IS NOT NULL AND EXISTS (
        SELECT FROM part AS p
        WHERE pg_catalog.has_any_column_privilege(app.oid, p.oid, 'UPDATE')
           OR pg_catalog.has_table_privilege(app.oid, p.oid, 'DELETE, TRUNCATE')
    ),
    CASE WHEN app.oid IS NOT NULL THEN EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = root.oid AND a.attname IN ('id', 'created_at', 'seq', 'xid', 'database_user')
          AND NOT a.attisdropped AND pg_catalog.has_column_privilege(app.oid, root.oid, a.attnum, 'INSERT')
    ) END
FROM (SELECT * FROM part WHERE part.root) AS root
LEFT JOIN pg_catalog.pg_roles AS app ON app.rolname = %(app)s;
