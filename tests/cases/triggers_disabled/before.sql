-- Triggers that would spoil or refuse the backfill are switched off for it, and come back in the state that each had.
CREATE TABLE entries (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT entries_pkey PRIMARY KEY,
    team text NOT NULL,
    text text,
    updated_at timestamptz NOT NULL DEFAULT '2020-01-01 00:00+00'
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'entries are for ever'; END $$;
CREATE TRIGGER a_touch BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER b_always BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE entries ENABLE ALWAYS TRIGGER b_always;
CREATE TRIGGER c_replica BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE entries ENABLE REPLICA TRIGGER c_replica;
CREATE TRIGGER d_off BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE entries DISABLE TRIGGER d_off;
CREATE TRIGGER e_statement AFTER UPDATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER f_text BEFORE UPDATE OF text ON entries FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO entries (team, text) VALUES ('red', 'a'), ('blue', 'b'), ('red', 'c');
