-- Legacy inheritance: the children have keys, uniques and references of their own, and one is a parent itself.
CREATE TABLE owners (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT owners_pkey PRIMARY KEY
);
CREATE TABLE assets (
    id serial CONSTRAINT assets_pkey PRIMARY KEY,
    label text NOT NULL
);
CREATE TABLE cars (
    plate text NOT NULL CONSTRAINT cars_plate_key UNIQUE,
    owner_id integer CONSTRAINT cars_owner_fkey REFERENCES owners,
    CONSTRAINT cars_pkey PRIMARY KEY (id)
) INHERITS (assets);
CREATE TABLE houses (
    street text NOT NULL,
    CONSTRAINT houses_pkey PRIMARY KEY (id)
) INHERITS (assets);
CREATE TABLE vans (
    load_kg integer,
    CONSTRAINT vans_plate_key UNIQUE (plate)
) INHERITS (cars);
CREATE TABLE trips (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT trips_pkey PRIMARY KEY,
    car_id integer NOT NULL CONSTRAINT trips_car_fkey REFERENCES cars
);
INSERT INTO owners DEFAULT VALUES;
INSERT INTO assets (label) VALUES ('chair');
INSERT INTO cars (label, plate, owner_id) VALUES ('red', 'AB 1', 1), ('blue', 'AB 2', NULL);
INSERT INTO houses (label, street) VALUES ('home', 'High Street');
INSERT INTO vans (label, plate, load_kg) VALUES ('big', 'AB 1', 900);
INSERT INTO trips (car_id) SELECT id FROM ONLY cars;
