-- Partitions whose part of a key is their replica identity, or what CLUSTER sorts them by.
CREATE TABLE events (day date NOT NULL, code text NOT NULL, body text, CONSTRAINT events_pkey PRIMARY KEY (day, code)) PARTITION BY RANGE (day);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY RANGE (day);
CREATE TABLE events_2024_a PARTITION OF events_2024 FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
ALTER TABLE events_2024_a REPLICA IDENTITY USING INDEX events_2024_a_pkey;
ALTER TABLE events_2025 CLUSTER ON events_2025_pkey;
