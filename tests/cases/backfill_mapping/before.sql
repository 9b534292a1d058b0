-- A table made for the conversion says whose row each is, over two columns; it stays out of the conversion.
CREATE TABLE tenants (
    id bigint CONSTRAINT tenants_pkey PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE rentals (
    country character(2) NOT NULL,
    number integer NOT NULL,
    bike text,
    CONSTRAINT rentals_pkey PRIMARY KEY (country, number)
);
CREATE TABLE rental_owners (
    country text NOT NULL,
    no integer NOT NULL,
    owner text NOT NULL,
    CONSTRAINT rental_owners_pkey PRIMARY KEY (country, no)
);
INSERT INTO tenants VALUES (11, 'Acme'), (12, 'Globex');
INSERT INTO rentals VALUES ('de', 1, 'x'), ('de', 2, 'y'), ('fr', 1, 'z');
INSERT INTO rental_owners VALUES ('de', 1, '11'), ('de', 2, '12'), ('fr', 1, '12');
