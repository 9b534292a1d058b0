-- A view has the name of the tenants table, a sequence that of the trail.

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE VIEW tenants AS SELECT 'first' AS id;
CREATE SEQUENCE audit_logs;
