-- needs: file_fdw
-- Tables that cannot be isolated through the table named: two keys lead there, none does, columns are missing, it is no tenant table,
-- and two whose link is no key across tenants.
CREATE TABLE users (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY);
INSERT INTO users DEFAULT VALUES;
CREATE TABLE colours (id integer CONSTRAINT colours_pkey PRIMARY KEY);
CREATE TABLE a (x integer CONSTRAINT a_x_fkey REFERENCES users, y integer CONSTRAINT a_y_fkey REFERENCES users);
CREATE TABLE b (x integer);
CREATE TABLE c (x integer);
CREATE TABLE d (x integer CONSTRAINT d_x_fkey REFERENCES colours);
CREATE EXTENSION file_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE e (x integer) SERVER nowhere OPTIONS (filename '/dev/null');
CREATE TABLE mailboxes (address text CONSTRAINT mailboxes_address_key UNIQUE, alias text);
CREATE UNIQUE INDEX mailboxes_alias_idx ON mailboxes (alias) WHERE alias IS NOT NULL;
CREATE TABLE f (address text);
CREATE TABLE g (alias text);
INSERT INTO mailboxes VALUES ('a@example.test', 'a');
