-- pg: >=18
-- A temporal key that stays unique across tenants is left as it is.
CREATE TABLE contracts (
    id int4range,
    valid daterange,
    number int4range,
    CONSTRAINT contracts_pkey PRIMARY KEY (id, valid WITHOUT OVERLAPS),
    CONSTRAINT contracts_number_key UNIQUE (number, valid WITHOUT OVERLAPS)
);

INSERT INTO contracts VALUES ('[1,1]', '[2024-01-01,2025-01-01)', '[7,7]'), ('[1,1]', '[2025-01-01,2026-01-01)', NULL);
