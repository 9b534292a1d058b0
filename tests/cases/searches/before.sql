-- needs: pg_trgm
-- Searches by indexes that row level security keeps from being used: full text, trigrams, jsonb, a prefix; names that
-- need quotes, a key of two columns, a partitioned table, an extension outside of the search path.
CREATE SCHEMA "Ext tools";
CREATE EXTENSION pg_trgm SCHEMA "Ext tools";

CREATE TABLE "Odd ""docs""" (
    "Id" bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT docs_pkey PRIMARY KEY,
    "Title (en)" varchar(80) NOT NULL,
    body text NOT NULL,
    kind text,
    "order" integer NOT NULL DEFAULT 0,
    found tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED
);
CREATE INDEX docs_found ON "Odd ""docs""" USING gin (found);
CREATE INDEX docs_title ON "Odd ""docs""" USING gin ("Title (en)" "Ext tools".gin_trgm_ops);
INSERT INTO "Odd ""docs""" ("Title (en)", body, kind) VALUES
    ('100% cotton', 'tests with indexes', 'a'), ('50% wool', 'indexes and 100% tests', NULL), ('Silk', 'nothing', 'a');

CREATE TABLE readings (
    day date NOT NULL, id integer NOT NULL, tags jsonb NOT NULL, note text, CONSTRAINT readings_pkey PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
CREATE TABLE readings_old PARTITION OF readings FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');
CREATE TABLE readings_new PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');
CREATE INDEX readings_tags ON readings USING gin (tags jsonb_path_ops);
INSERT INTO readings (day, id, tags) VALUES ('2024-05-01', 1, '{"level": 1}'), ('2025-05-01', 2, '{"level": 1}'), ('2025-06-01', 3, '{"level": 2}');

CREATE TABLE settings (id varchar(40) CONSTRAINT settings_pkey PRIMARY KEY, value text NOT NULL);
INSERT INTO settings VALUES ('default', 'x');
