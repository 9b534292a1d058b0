-- Tables of two owners go to a role that nobody logs in as; the application owned them until now, and keeps its rights only by grants.
CREATE SCHEMA depot;
CREATE ROLE app_user LOGIN;
CREATE ROLE case_dba LOGIN;
CREATE TABLE desks (id serial CONSTRAINT desks_pkey PRIMARY KEY);
CREATE TABLE depot.boxes (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT boxes_pkey PRIMARY KEY, desk_id integer CONSTRAINT boxes_desk_fkey REFERENCES desks);
CREATE TABLE colours (name text);
ALTER TABLE desks OWNER TO app_user;
ALTER TABLE depot.boxes OWNER TO case_dba;
INSERT INTO desks DEFAULT VALUES;
INSERT INTO depot.boxes (desk_id) VALUES (1);
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
