-- needs: citext
-- A table behind another by a column whose equality is an operator of an extension; its tenant tables have quoted names.
CREATE EXTENSION citext;
CREATE TABLE "User Accounts" (
    "Id" integer GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    "E-Mail" citext NOT NULL CONSTRAINT users_email_key UNIQUE
);
CREATE TABLE tokens (identifier citext NOT NULL, token text);
INSERT INTO "User Accounts" ("E-Mail") VALUES ('a@example.test'), ('b@example.test');
INSERT INTO tokens VALUES ('A@example.test', 't');
