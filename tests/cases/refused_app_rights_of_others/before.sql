-- The application's role is a member of roles that may do what no revoke from itself takes away, and may read a view in a
-- schema that is not converted.
CREATE SCHEMA elsewhere;
CREATE ROLE case_staff;
CREATE ROLE case_app LOGIN IN ROLE case_staff, pg_read_all_data, pg_write_all_data;

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE TABLE colours (id integer);
CREATE MATERIALIZED VIEW desk_list AS SELECT id FROM desks;
CREATE VIEW elsewhere.all_desks AS SELECT id FROM desks;
GRANT ALL ON desks TO case_staff;
GRANT SELECT ON elsewhere.all_desks TO case_staff;
