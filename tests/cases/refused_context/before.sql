-- A role that is to own the keys of signed tenants and that somebody is, a schema that is taken, support that names tenants.
CREATE ROLE case_context LOGIN;
CREATE ROLE case_member;
GRANT case_context TO case_member;
CREATE SCHEMA taken;
CREATE TABLE notes (id int CONSTRAINT notes_pkey PRIMARY KEY);
INSERT INTO notes VALUES (1);
