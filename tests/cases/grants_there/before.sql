-- Rights that were given before: too many for the application and for everybody, some that suffice, and some of other roles,
-- which stay; default privileges that would give every new table away.
CREATE ROLE case_reports;
CREATE ROLE app_user LOGIN;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO app_user;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO PUBLIC;

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE TABLE chairs (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT chairs_pkey PRIMARY KEY, colour text);
REVOKE ALL ON chairs FROM app_user, PUBLIC;
INSERT INTO chairs (colour) VALUES ('red');
GRANT SELECT, UPDATE (colour), REFERENCES (id) ON chairs TO app_user;
GRANT SELECT, TRUNCATE ON chairs, desks TO case_reports;
GRANT TRUNCATE, TRIGGER ON chairs TO PUBLIC;
