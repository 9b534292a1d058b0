-- A search under a signed context, with tenants that are uuids and a missing one that raises.
CREATE TABLE skills (id uuid CONSTRAINT skills_pkey PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, tags text[] NOT NULL);
CREATE INDEX skills_tags ON skills USING gin (tags);
INSERT INTO skills (name, tags) VALUES ('one', '{a,b}'), ('two', '{b}');
