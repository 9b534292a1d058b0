-- Triggers of a partitioned table and of a partition, switched off for the backfill; on one partition a trigger of the parent was off.
CREATE TABLE events (
    team text NOT NULL,
    day date NOT NULL,
    text text
) PARTITION BY RANGE (day);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER keep_all BEFORE UPDATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER keep_part BEFORE UPDATE ON events_2024 FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER quiet BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE ONLY events DISABLE TRIGGER quiet;
ALTER TABLE events_rest DISABLE TRIGGER quiet;
ALTER TABLE events_rest DISABLE TRIGGER keep;
INSERT INTO events VALUES ('red', '2024-05-01', 'a'), ('blue', '2024-05-02', 'b'), ('blue', '2025-05-02', 'c');
