-- A column says whose row it is, by a value that becomes the slug of a new tenant; two tables speak of the same tenants.
CREATE TABLE projects (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT projects_pkey PRIMARY KEY,
    customer character varying(20) NOT NULL,
    title text NOT NULL,
    CONSTRAINT projects_customer_title_key UNIQUE (customer, title)
);
CREATE TABLE bills (
    id uuid DEFAULT gen_random_uuid() CONSTRAINT bills_pkey PRIMARY KEY,
    "for Customer" text NOT NULL,
    amount numeric NOT NULL
);
INSERT INTO projects (customer, title) VALUES ('acme', 'one'), ('acme', 'two'), ('globex', 'one'), ('o''hara', 'three');
INSERT INTO bills ("for Customer", amount) VALUES ('acme', 1), ('initech', 2), ('o''hara', 3);
