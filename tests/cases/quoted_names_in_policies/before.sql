-- Names that need quotes, in schema, tables, columns and the tenants table, wherever a policy, a default or a view has them.
CREATE SCHEMA "Mein Schema";
CREATE TABLE "Mein Schema"."Größe ""x""" (
    "select" integer GENERATED ALWAYS AS IDENTITY CONSTRAINT "a b" PRIMARY KEY,
    "Straße" text NOT NULL CONSTRAINT "straße key" UNIQUE
);
CREATE TABLE "Mein Schema"."user" ("Größe's" integer CONSTRAINT "c""d" REFERENCES "Mein Schema"."Größe ""x""", token text);
CREATE VIEW "Mein Schema"."V w" AS SELECT * FROM "Mein Schema"."user";
INSERT INTO "Mein Schema"."Größe ""x""" ("Straße") VALUES ('Weg'), ('Gasse');
INSERT INTO "Mein Schema"."user" VALUES (1, 'x'), (2, 'y');
