-- Tables without a tenant column: behind a foreign key, by a column, by two columns, behind an inherited table, partitioned;
-- with columns whose equality the server spells in other ways.
CREATE DOMAIN mail AS text;
CREATE TABLE users (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    email character varying(60) NOT NULL,
    realm mail NOT NULL,
    CONSTRAINT users_email_key UNIQUE (realm, email),
    CONSTRAINT users_mail_key UNIQUE (email)
);
CREATE TABLE sessions (token text CONSTRAINT sessions_pkey PRIMARY KEY, user_id integer NOT NULL CONSTRAINT sessions_user_fkey REFERENCES users ON DELETE CASCADE);
CREATE TABLE "Reset ""Tokens""" ("E-Mail" text NOT NULL, token text);
CREATE TABLE invitations (mail character(40) NOT NULL, realm character varying NOT NULL, token text);
CREATE TABLE p (token text, user_id bigint) PARTITION BY LIST (token);
CREATE TABLE p_rest PARTITION OF p DEFAULT;
INSERT INTO users (email, realm) VALUES ('a@example.test', 'x'), ('b@example.test', 'x');
INSERT INTO sessions VALUES ('s', 1);
INSERT INTO "Reset ""Tokens""" VALUES ('a@example.test', 't');
INSERT INTO invitations VALUES ('b@example.test', 'x', 'u');
INSERT INTO p VALUES ('v', 2);
