-- A table that refers to the tenants table, which was there before, and keeps its own column for it.
CREATE TABLE organizations (id uuid DEFAULT gen_random_uuid() CONSTRAINT organizations_pkey PRIMARY KEY, title text NOT NULL);
INSERT INTO organizations VALUES ('0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d', 'First'), ('1c0a3b1f-7b10-4e63-9b40-207f4d2c3b5e', 'Second');
CREATE TABLE invoices (number integer CONSTRAINT invoices_pkey PRIMARY KEY, payer uuid NOT NULL CONSTRAINT invoices_payer_fkey REFERENCES organizations);
INSERT INTO invoices VALUES (1, '0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d'), (2, '1c0a3b1f-7b10-4e63-9b40-207f4d2c3b5e');
CREATE TABLE members (id integer CONSTRAINT members_pkey PRIMARY KEY, employer uuid NOT NULL CONSTRAINT members_employer_fkey REFERENCES organizations);
INSERT INTO members VALUES (1, '0b9f2a0e-6a0f-4d52-8a3f-1f6f3c1b2a4d'), (2, '1c0a3b1f-7b10-4e63-9b40-207f4d2c3b5e');
