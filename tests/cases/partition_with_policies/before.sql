-- A partition that row level security and a policy of its own were set up on; rows were grouped by a foreign column.
CREATE TABLE notes (
    id integer NOT NULL,
    team text NOT NULL,
    body text,
    CONSTRAINT notes_pkey PRIMARY KEY (team, id)
) PARTITION BY LIST (team);
CREATE TABLE notes_red PARTITION OF notes FOR VALUES IN ('red');
CREATE TABLE notes_rest PARTITION OF notes DEFAULT;
ALTER TABLE notes_red ENABLE ROW LEVEL SECURITY;
CREATE POLICY red_only ON notes_red USING (team = 'red');
INSERT INTO notes VALUES (1, 'red', 'a'), (2, 'red', 'b'), (1, 'blue', 'c');
