-- Two tables that refer to each other, and three in a ring.
CREATE TABLE teams (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lead_id integer);
CREATE TABLE people (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id integer NOT NULL REFERENCES teams);
ALTER TABLE teams ADD CONSTRAINT teams_lead_fkey FOREIGN KEY (lead_id) REFERENCES people ON DELETE SET NULL;

CREATE TABLE ring_a (name text PRIMARY KEY, next text NOT NULL);
CREATE TABLE ring_b (name text PRIMARY KEY, next text NOT NULL);
CREATE TABLE ring_c (name text PRIMARY KEY, next text NOT NULL REFERENCES ring_a DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE ring_a ADD CONSTRAINT ring_a_next_fkey FOREIGN KEY (next) REFERENCES ring_b;
ALTER TABLE ring_b ADD CONSTRAINT ring_b_next_fkey FOREIGN KEY (next) REFERENCES ring_c;

INSERT INTO teams DEFAULT VALUES;
INSERT INTO people (team_id) VALUES (1), (1);
UPDATE teams SET lead_id = 2;
BEGIN;
INSERT INTO ring_c VALUES ('c', 'a');
INSERT INTO ring_b VALUES ('b', 'c');
INSERT INTO ring_a VALUES ('a', 'b');
COMMIT;
