-- needs: file_fdw
-- Foreign tables cannot have row level security: one alone, one under a partitioned table.
CREATE EXTENSION file_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (x integer) SERVER nowhere OPTIONS (filename '/dev/null');
CREATE TABLE near (x integer) PARTITION BY LIST (x);
CREATE TABLE near_1 PARTITION OF near FOR VALUES IN (1);
CREATE FOREIGN TABLE near_2 PARTITION OF near FOR VALUES IN (2) SERVER nowhere OPTIONS (filename '/dev/null');
INSERT INTO near VALUES (1);
