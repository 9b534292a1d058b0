-- What acts on writes to the trail, its partitions and the seal, and on DDL: triggers, rules, event triggers.
-- A body is known by its digest.
SELECT 'trigger', n.nspname || '.' || c.relname,
    t.tgname::text, t.tgenabled::text, t.tgtype::integer,
    pn.nspname || '.' || p.proname,
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
        p.prosrc || coalesce(pg_catalog.pg_get_expr(t.tgqual, t.tgrelid), ''), 'UTF8')), 'hex')
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.pronamespace
WHERE NOT t.tgisinternal
    AND (c.oid = ANY (%(relations)s::oid[]) OR n.nspname = 'tenantry_audit')
UNION ALL
SELECT 'rule', n.nspname || '.' || c.relname, r.rulename::text, r.ev_enabled::text, r.ev_type::text::integer, '',
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.pg_get_ruledef(r.oid), 'UTF8')), 'hex')
FROM pg_catalog.pg_rewrite AS r
JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(relations)s::oid[]) OR n.nspname = 'tenantry_audit'
UNION ALL
SELECT 'event trigger', '', e.evtname::text, e.evtenabled::text, 0, n.nspname || '.' || p.proname,
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p.prosrc, 'UTF8')), 'hex')
FROM pg_catalog.pg_event_trigger AS e
JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
ORDER BY 1, 2, 3, 6;
