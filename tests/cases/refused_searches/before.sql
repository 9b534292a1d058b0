-- Searches that could not be made, or could find or show more than they are to.
CREATE ROLE case_login LOGIN;
CREATE ROLE case_member;
GRANT case_login TO case_member;

CREATE TABLE users (id bigint CONSTRAINT users_pkey PRIMARY KEY, email text NOT NULL, data jsonb NOT NULL DEFAULT '{}');
INSERT INTO users VALUES (1, 'a@example.com');
CREATE TABLE sessions (token uuid CONSTRAINT sessions_pkey PRIMARY KEY, user_id bigint NOT NULL CONSTRAINT sessions_user_fk REFERENCES users (id));
CREATE TABLE countries (code text CONSTRAINT countries_pkey PRIMARY KEY);
CREATE TABLE logs (line text NOT NULL);
INSERT INTO logs VALUES ('x');
CREATE TABLE readings (day date NOT NULL, id integer NOT NULL, note text, CONSTRAINT readings_pkey PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
CREATE TABLE readings_new PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');
INSERT INTO readings VALUES ('2025-05-01', 2, 'x');
CREATE TABLE tenants (id text CONSTRAINT tenants_pkey PRIMARY KEY, name text NOT NULL, slug text NOT NULL CONSTRAINT tenants_slug UNIQUE);
CREATE FUNCTION taken(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION folded(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
