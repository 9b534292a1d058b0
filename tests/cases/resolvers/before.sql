-- Look-ups that come before the tenant is known: in a tenant table, in one that hangs on another, in the tenants
-- table; names that need quotes, a domain, a limited type, a key that several tenants may share.
CREATE DOMAIN hash AS varchar(64);

CREATE TABLE "Users" (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    "E-mail" text NOT NULL CONSTRAINT users_email UNIQUE,
    phone text
);
INSERT INTO "Users" ("E-mail", phone) VALUES ('a@example.com', '1'), ('b@example.com', '1');

CREATE TABLE api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT api_keys_pkey PRIMARY KEY,
    key_hash hash NOT NULL CONSTRAINT api_keys_key_hash UNIQUE,
    user_id bigint NOT NULL CONSTRAINT api_keys_user_id_fk REFERENCES "Users"
);
INSERT INTO api_keys (key_hash, user_id) VALUES ('h1', 1);

CREATE TABLE sessions (
    token uuid CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT sessions_user_id_fk REFERENCES "Users"
);
INSERT INTO sessions VALUES ('7c9e6679-7425-40de-944b-e07fc1f90ae7', 2);
