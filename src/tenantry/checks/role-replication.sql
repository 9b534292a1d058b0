-- id: 107
-- slug: role-replication
-- level: error
-- title: The application may read the write-ahead log
-- controls: SOC 2 CC6.1, CC6.7
-- needs: role
-- why: A role with REPLICATION reads every change of every tenant through a logical slot, or copies the whole server;
--   policies do not apply there.
-- fix: ALTER ROLE … NOREPLICATION. Treat a role that feeds a change stream like one with BYPASSRLS.
-- sabotage:
--   ALTER ROLE {app} REPLICATION;
SELECT
    reach.who AS object,
    CASE WHEN reach.itself THEN '' ELSE reach.name END AS detail,
    pg_catalog.format('%s has REPLICATION%s', reach.who, CASE WHEN reach.itself THEN '' ELSE ' through ' || reach.name END) AS message
FROM reach
JOIN pg_catalog.pg_roles AS r ON r.oid = reach.oid
WHERE r.rolreplication;
