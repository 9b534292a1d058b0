-- Inheritance children whose own rules contradict the table above, whose column and tenants are theirs, too.
CREATE TABLE assets (id serial CONSTRAINT assets_pkey PRIMARY KEY, label text);
CREATE TABLE cars (plate text) INHERITS (assets);
CREATE TABLE vans (load_kg integer) INHERITS (cars);
CREATE TABLE houses (street text) INHERITS (assets);
INSERT INTO vans (label) VALUES ('big');
