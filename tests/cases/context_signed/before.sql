-- A signed context: tables of every kind, a column of a domain that is there already, a trail, a look-up.
CREATE DOMAIN mail AS varchar(60);
CREATE DOMAIN tenant AS text;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    email mail NOT NULL CONSTRAINT users_email UNIQUE
);
INSERT INTO users (email) VALUES ('a@example.com'), ('b@example.com');

CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT notes_pkey PRIMARY KEY,
    tenant_id tenant,
    user_id bigint NOT NULL CONSTRAINT notes_user_id_fk REFERENCES users,
    body text
);
INSERT INTO notes (user_id, body) VALUES (1, 'x'), (2, 'y');

CREATE TABLE sessions (
    token text CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT sessions_user_id_fk REFERENCES users
);
INSERT INTO sessions VALUES ('t', 1);

CREATE TABLE countries (code text CONSTRAINT countries_pkey PRIMARY KEY);
INSERT INTO countries VALUES ('IT');
