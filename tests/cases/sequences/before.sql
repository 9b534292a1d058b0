-- What makes the numbers of new rows: sequences of serial columns, with quoted names and in another schema, one that two tables
-- share, one of an old form, and two that the application needs no right on.
CREATE SCHEMA "Depot";
CREATE ROLE app_user LOGIN;
CREATE SEQUENCE common_ids;
CREATE SEQUENCE "Depot"."it's ""odd""";
CREATE SEQUENCE old_form;
CREATE SEQUENCE unrelated;
CREATE TABLE desks (
    "Id" serial CONSTRAINT desks_pkey PRIMARY KEY,
    common bigint NOT NULL DEFAULT nextval('common_ids'),
    odd bigint NOT NULL DEFAULT nextval('"Depot"."it''s ""odd"""'),
    old integer NOT NULL DEFAULT nextval(('public.old_form'::text)::regclass),
    nr integer GENERATED ALWAYS AS IDENTITY
);
CREATE TABLE "Depot"."Boxes" ("Nr" serial CONSTRAINT boxes_pkey PRIMARY KEY, common bigint NOT NULL DEFAULT nextval('common_ids'));
CREATE TABLE colours (nr serial);
GRANT USAGE ON SEQUENCE "Depot"."Boxes_Nr_seq" TO app_user;
INSERT INTO desks DEFAULT VALUES;
INSERT INTO "Depot"."Boxes" DEFAULT VALUES;
