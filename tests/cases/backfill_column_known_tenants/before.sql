-- The tenants are there already, with a key and names of their own; a number in each row names one of them.
CREATE TABLE organizations (
    org_id uuid CONSTRAINT organizations_pkey PRIMARY KEY,
    number integer NOT NULL CONSTRAINT organizations_number_key UNIQUE,
    label text NOT NULL
);
CREATE TABLE tickets (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tickets_pkey PRIMARY KEY,
    org_number integer NOT NULL CONSTRAINT tickets_org_fkey REFERENCES organizations (number),
    text text
);
INSERT INTO organizations VALUES
    ('00000000-0000-4000-8000-00000000000a', 10, 'Acme'), ('00000000-0000-4000-8000-00000000000b', 20, 'Globex');
INSERT INTO tickets (org_number, text) VALUES (10, 'a'), (20, 'b'), (20, 'c');
