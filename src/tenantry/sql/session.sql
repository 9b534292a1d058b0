-- Settles, for this transaction, whatever the server's deparsed text depends on, so that every reader of a
-- database gets the same text. Keeps the JIT compiler, slow to start, out of short queries, and plans out of nested
-- loops: every query here reads its catalogs whole, and statistics of a catalog that just grew mislead.
-- Yields: one row for each setting made.
SELECT pg_catalog.set_config(wanted.name, wanted.value, true)
FROM (VALUES
    ('search_path', ''),
    ('client_encoding', 'UTF8'),
    ('quote_all_identifiers', 'off'),
    ('standard_conforming_strings', 'on'),
    ('datestyle', 'ISO, MDY'),
    ('intervalstyle', 'postgres'),
    ('timezone', 'UTC'),
    ('bytea_output', 'hex'),
    ('extra_float_digits', '1'),
    ('jit', 'off'),
    ('enable_nestloop', 'off')
) AS wanted (name, value);
