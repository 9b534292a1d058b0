-- Logins that would work without a record, or that the application may become.
CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT notes_pkey PRIMARY KEY, body text);
INSERT INTO notes (body) VALUES ('n');
CREATE ROLE case_system LOGIN BYPASSRLS;
CREATE ROLE case_support LOGIN;
CREATE ROLE app_user LOGIN;
GRANT case_support TO app_user;
CREATE ROLE case_recorder LOGIN;
CREATE SCHEMA record;
CREATE TABLE events (
    id bigint CONSTRAINT events_pkey PRIMARY KEY,
    actor_id text,
    tenant_id text NOT NULL,
    action text NOT NULL,
    resource_type text,
    resource_id text,
    ip_address text,
    metadata json,
    created_at timestamptz NOT NULL DEFAULT now()
);
