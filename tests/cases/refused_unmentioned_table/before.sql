-- Tables that the spec does not speak of yet, beside one that it speaks of; partitions and children follow the tables above them.

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE TABLE drawers (id integer, day date) PARTITION BY RANGE (day);
CREATE TABLE drawers_rest PARTITION OF drawers DEFAULT;
CREATE TABLE "Odd.Name" (id integer);
CREATE TABLE odder () INHERITS ("Odd.Name");
