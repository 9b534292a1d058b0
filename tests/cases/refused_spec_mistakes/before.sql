-- A spec that speaks of what is not there, of what needs no scope, and contradicts itself; all of it is told at once.
CREATE SCHEMA other;

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE TABLE other.things (id integer);
CREATE TABLE other.desks_kept () INHERITS (desks);
CREATE TABLE parts (id integer) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE mothers (id integer);
CREATE TABLE fathers (id integer);
CREATE TABLE daughters () INHERITS (mothers, fathers);
CREATE TABLE sons () INHERITS (fathers);
CREATE TABLE colours (id integer);
CREATE TABLE tints () INHERITS (colours);
CREATE TABLE undecided_thing (id integer);
CREATE TABLE numbered (id integer CONSTRAINT numbered_pkey PRIMARY KEY, code text CONSTRAINT numbered_code_key UNIQUE);
CREATE TABLE named (code text CONSTRAINT named_pkey PRIMARY KEY);
CREATE POLICY mine ON numbered USING (true);
