-- Resolvers that could not be made, or would not return one tenant.
CREATE ROLE case_login LOGIN;
CREATE ROLE case_member;
GRANT case_login TO case_member;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    email text NOT NULL CONSTRAINT users_email UNIQUE,
    login text NOT NULL,
    kind character(4) CONSTRAINT users_kind UNIQUE
);
CREATE UNIQUE INDEX users_login ON users (lower(login));
INSERT INTO users (email, login) VALUES ('a@example.com', 'a');
CREATE TABLE countries (code text CONSTRAINT countries_pkey PRIMARY KEY);
CREATE TABLE tenants (id text CONSTRAINT tenants_pkey PRIMARY KEY, name text NOT NULL, slug text NOT NULL CONSTRAINT tenants_slug UNIQUE);
CREATE FUNCTION taken(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
