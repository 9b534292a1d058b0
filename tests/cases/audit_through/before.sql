-- Captured tables without a tenant column: by a foreign key, by a column that may be NULL, behind a parent in another schema,
CREATE EXTENSION citext;
CREATE SCHEMA people;
CREATE TABLE people.users (
    id integer CONSTRAINT users_pkey PRIMARY KEY,
    email citext NOT NULL CONSTRAINT users_email_key UNIQUE
);
CREATE TABLE accounts (
    provider text, number integer, user_id integer NOT NULL CONSTRAINT accounts_user_fkey REFERENCES people.users ON DELETE CASCADE,
    CONSTRAINT accounts_pkey PRIMARY KEY (provider, number)
);
CREATE TABLE sessions (token text CONSTRAINT sessions_pkey PRIMARY KEY, user_id integer CONSTRAINT sessions_user_fkey REFERENCES people.users ON DELETE CASCADE);
CREATE TABLE mails (id integer CONSTRAINT mails_pkey PRIMARY KEY, mail citext NOT NULL);
INSERT INTO people.users VALUES (1, 'a@example.test');
INSERT INTO accounts VALUES ('p', 1, 1);
INSERT INTO sessions VALUES ('s', 1), ('t', NULL);
INSERT INTO mails VALUES (1, 'A@example.test');
CREATE TABLE audit_logs (
    id uuid CONSTRAINT audit_logs_pkey PRIMARY KEY DEFAULT gen_random_uuid(), actor_id text, tenant_id text, action text NOT NULL,
    resource_type text, resource_id text, ip_address text, metadata jsonb, created_at timestamptz NOT NULL DEFAULT now()
);
