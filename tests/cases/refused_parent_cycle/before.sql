-- Two tables that would each take the tenant from the other, and one from itself.
CREATE TABLE hens (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT hens_pkey PRIMARY KEY,
    egg_id integer,
    mother_id integer CONSTRAINT hens_mother_fkey REFERENCES hens
);
CREATE TABLE eggs (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT eggs_pkey PRIMARY KEY,
    hen_id integer CONSTRAINT eggs_hen_fkey REFERENCES hens
);
ALTER TABLE hens ADD CONSTRAINT hens_egg_fkey FOREIGN KEY (egg_id) REFERENCES eggs;
CREATE TABLE feathers (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT feathers_pkey PRIMARY KEY,
    grown_with integer CONSTRAINT feathers_feather_fkey REFERENCES feathers
);
INSERT INTO hens DEFAULT VALUES;
INSERT INTO eggs (hen_id) VALUES (1);
INSERT INTO feathers DEFAULT VALUES;
