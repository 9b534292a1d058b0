-- MATCH FULL over columns that are never NULL means the same as MATCH SIMPLE; so it does over a single column.
CREATE TABLE places (country text, city text, PRIMARY KEY (country, city));
CREATE TABLE people (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, boss integer REFERENCES people MATCH FULL);

CREATE TABLE visits (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    country text NOT NULL,
    city text NOT NULL,
    CONSTRAINT visits_place_fkey FOREIGN KEY (country, city) REFERENCES places MATCH FULL ON DELETE CASCADE
);

INSERT INTO places VALUES ('se', 'Lund'), ('no', 'Bergen');
INSERT INTO people (boss) VALUES (NULL), (1);
INSERT INTO visits (country, city) VALUES ('se', 'Lund'), ('se', 'Lund'), ('no', 'Bergen');
