-- The application's role may become a superuser, one that has BYPASSRLS, and the role that is to own the tables, which can log in.
CREATE ROLE case_admin SUPERUSER;
CREATE ROLE case_reader BYPASSRLS;
CREATE ROLE case_middle IN ROLE case_admin;
CREATE ROLE case_owner LOGIN;
CREATE ROLE case_app LOGIN IN ROLE case_middle, case_reader, case_owner;

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
