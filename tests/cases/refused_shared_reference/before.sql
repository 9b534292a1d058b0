-- Shared rows that point at a tenant's.

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE TABLE colours (id integer CONSTRAINT colours_pkey PRIMARY KEY, seen_on integer CONSTRAINT colours_desk_fkey REFERENCES desks);
