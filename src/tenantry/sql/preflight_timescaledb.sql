-- Hypertables of timescaledb.
-- Yields: schema, name.
SELECT h.schema_name AS schema, h.table_name AS name FROM _timescaledb_catalog.hypertable AS h ORDER BY 1, 2;
