-- Range partitions, one split further by list, one by hash, one for the rest; one has an index of its own.
CREATE TABLE readings (
    id bigserial,
    taken_on date NOT NULL,
    site text NOT NULL,
    value numeric,
    CONSTRAINT readings_pkey PRIMARY KEY (id, taken_on, site),
    CONSTRAINT readings_site_taken_key UNIQUE (site, taken_on)
) PARTITION BY RANGE (taken_on);
CREATE INDEX readings_value_idx ON readings (value);

CREATE TABLE readings_2023 PARTITION OF readings FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE UNIQUE INDEX readings_2023_value_key ON readings_2023 (value);
CREATE INDEX readings_2023_site_idx ON readings_2023 (lower(site));

CREATE TABLE readings_2024 PARTITION OF readings FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (site);
CREATE TABLE readings_2024_north PARTITION OF readings_2024 FOR VALUES IN ('north');
CREATE TABLE readings_2024_rest PARTITION OF readings_2024 DEFAULT;

CREATE TABLE readings_2025 PARTITION OF readings FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (site);
CREATE TABLE readings_2025_0 PARTITION OF readings_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE readings_2025_1 PARTITION OF readings_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 1);

CREATE TABLE readings_rest PARTITION OF readings DEFAULT;

INSERT INTO readings (taken_on, site, value) VALUES
    ('2023-05-01', 'north', 1.5), ('2023-05-02', 'north', 2.5), ('2024-05-01', 'north', 1.5), ('2024-05-01', 'south', NULL),
    ('2025-01-01', 'north', 3), ('2025-01-02', 'north', 4), ('2025-01-03', 'south', 5), ('2031-01-01', 'moon', 6);
