-- Settles a session that changes the database, whatever the role's and the database's defaults are. A table owner
-- under FORCE ROW LEVEL SECURITY would otherwise fill no row and validate against none, without an error.
-- Yields one row for each setting made; a server that does not know one leaves it out.
SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
FROM (VALUES
    ('row_security', 'off'),
    ('statement_timeout', '0'),
    ('lock_timeout', '0'),
    ('transaction_timeout', '0'),
    ('idle_in_transaction_session_timeout', '0'),
    ('idle_session_timeout', '0'),
    ('default_transaction_isolation', 'read committed'),
    ('default_transaction_deferrable', 'off'),
    ('standard_conforming_strings', 'on'),
    ('quote_all_identifiers', 'off')
) AS wanted (name, value)
JOIN pg_catalog.pg_settings AS known ON known.name = wanted.name;
