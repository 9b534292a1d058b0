-- A trail in a schema of its own, under a name with a percent sign; the names of its indexes are taken.
CREATE SCHEMA trail;
CREATE TABLE trail.other (action text);
CREATE INDEX "events%_actor_idx" ON trail.other (action);
INSERT INTO trail.other VALUES ('x');

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
