-- The application's role is a superuser.
CREATE ROLE case_app LOGIN SUPERUSER;

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
