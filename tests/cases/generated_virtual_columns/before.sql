-- pg: >=18
-- A virtual generated column, and a stored one beside it.
CREATE TABLE parcels (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT parcels_pkey PRIMARY KEY,
    width numeric NOT NULL,
    twice numeric GENERATED ALWAYS AS (width * 2) VIRTUAL,
    half numeric GENERATED ALWAYS AS (width / 2) STORED
);
CREATE INDEX parcels_half_idx ON parcels (half);
INSERT INTO parcels (width) VALUES (1), (2), (3);
