-- Where the trail lives: transaction ids mean something only there. The timeline is NULL on a standby.
SELECT (SELECT s.system_identifier::text FROM pg_catalog.pg_control_system() AS s),
    CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
        ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END,
    (SELECT d.oid::text FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database());
