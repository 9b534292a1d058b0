-- Triggers that may fire during the backfill, since they count and change nothing.
CREATE TABLE entries (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT entries_pkey PRIMARY KEY,
    team text NOT NULL
);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER watch_rows BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION watch();
CREATE CONSTRAINT TRIGGER watch_late AFTER UPDATE ON entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION watch();
INSERT INTO entries (team) VALUES ('red'), ('blue');
