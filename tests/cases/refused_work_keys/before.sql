-- A role that would own nothing, and a schema that would hold nothing.
CREATE TABLE notes (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT notes_pkey PRIMARY KEY, body text);
INSERT INTO notes (body) VALUES ('n');
