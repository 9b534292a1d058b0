-- Nothing in public: the tables, the tenants and the trail have schemas of their own, which the application may not use yet.
CREATE SCHEMA crm;
CREATE SCHEMA "Platform";
CREATE TABLE crm.people (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT people_pkey PRIMARY KEY, email text CONSTRAINT people_email_key UNIQUE);
CREATE TABLE crm.calls (id uuid DEFAULT gen_random_uuid() CONSTRAINT calls_pkey PRIMARY KEY, person_id integer CONSTRAINT calls_person_fkey REFERENCES crm.people);
CREATE TABLE public.left_alone (id integer);
INSERT INTO crm.people (email) VALUES ('a@example.test');
INSERT INTO crm.calls (person_id) VALUES (1);
