-- Foreign tables cannot have row level security: one alone, one under a partitioned table.
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (x integer) SERVER nowhere;
CREATE TABLE near (x integer) PARTITION BY LIST (x);
CREATE TABLE near_1 PARTITION OF near FOR VALUES IN (1);
CREATE FOREIGN TABLE near_2 PARTITION OF near FOR VALUES IN (2) SERVER nowhere;
INSERT INTO near VALUES (1);
