-- A typed table has its columns from a composite type, and takes no other.
CREATE TYPE address AS (street text, town text);
CREATE TABLE addresses OF address;
INSERT INTO addresses VALUES ('1 High Street', 'Leeds');
CREATE TYPE owned AS (tenant_id text, label text);
CREATE TABLE labels OF owned;
INSERT INTO labels VALUES ('first', 'fragile');
