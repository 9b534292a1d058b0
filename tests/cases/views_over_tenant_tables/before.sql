-- Views over tenant rows, over each other, in another schema, one that is right already; materialized ones; a function that
-- runs with its owner's rights.
CREATE ROLE app_user LOGIN;
CREATE ROLE case_reader;
CREATE SCHEMA reports;
CREATE SCHEMA elsewhere;
CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY, label text);
CREATE TABLE desk_logins (desk_id integer NOT NULL CONSTRAINT desk_logins_desk_fkey REFERENCES desks, at date);
CREATE TABLE colours (name text CONSTRAINT colours_pkey PRIMARY KEY);
INSERT INTO desks (label) VALUES ('a'), ('b');
INSERT INTO desk_logins VALUES (1, '2024-01-01');
INSERT INTO colours VALUES ('red');
CREATE VIEW "Red desks" AS SELECT * FROM desks WHERE label = 'red';
CREATE VIEW reports.on_top AS SELECT count(*) AS n FROM "Red desks";
CREATE VIEW right_already WITH (security_invoker = on, security_barrier) AS SELECT id FROM desks;
CREATE VIEW recent_logins AS SELECT * FROM desk_logins;
CREATE VIEW plain AS SELECT name FROM colours;
CREATE MATERIALIZED VIEW reports.totals AS SELECT count(*) AS n FROM "Red desks";
CREATE MATERIALIZED VIEW desk_list AS SELECT id FROM desks;
CREATE VIEW over_materialized AS SELECT id FROM desk_list;
CREATE VIEW elsewhere.all_desks AS SELECT * FROM desks;
CREATE TABLE floors (nr integer);
CREATE VIEW with_floors AS SELECT desks.*, nr FROM desks, floors;
GRANT SELECT ON "Red desks", reports.totals TO app_user;
GRANT SELECT ON desk_list TO case_reader;
GRANT SELECT (n) ON reports.totals TO app_user;
GRANT SELECT ON desk_list TO PUBLIC;
CREATE FUNCTION desk_count() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM desks';
CREATE FUNCTION desks_of_mine() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM desks';
