-- needs: file_fdw
-- needs: hstore
-- What is left alone: a table of an extension, a foreign table, a table that the spec says to ignore.
CREATE EXTENSION hstore;
CREATE TABLE hstore_settings (name text);
ALTER EXTENSION hstore ADD TABLE hstore_settings;
CREATE EXTENSION file_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (x integer) SERVER nowhere OPTIONS (filename '/dev/null');
CREATE TABLE migrations (id integer CONSTRAINT migrations_pkey PRIMARY KEY);
INSERT INTO migrations VALUES (1);
CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY, colours hstore);
INSERT INTO desks (colours) VALUES ('red=>1');
