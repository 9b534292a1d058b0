-- A primary key of a partitioned table that becomes one within the tenant, with a table that refers to it.
CREATE TABLE rooms (
    code text NOT NULL,
    year integer NOT NULL,
    seats integer,
    CONSTRAINT rooms_pkey PRIMARY KEY (code, year)
) PARTITION BY LIST (year);
CREATE TABLE rooms_2024 PARTITION OF rooms FOR VALUES IN (2024);
CREATE TABLE rooms_rest PARTITION OF rooms DEFAULT;
INSERT INTO rooms VALUES ('A1', 2024, 20), ('A1', 2025, 22), ('B2', 2024, 8);
