-- MATCH FULL over nullable columns has no form with a tenant column that is never NULL.
CREATE TABLE places (country text, city text, PRIMARY KEY (country, city));

CREATE TABLE visits (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    country text,
    city text,
    CONSTRAINT visits_place_fkey FOREIGN KEY (country, city) REFERENCES places MATCH FULL
);
