-- System work and support beside a plain trail: views, sequences, partitions, a table through its parent, shared data.
CREATE TABLE authors (
    id serial CONSTRAINT authors_pkey PRIMARY KEY,
    name text NOT NULL
);
INSERT INTO authors (name) VALUES ('Ada'), ('Bob');
CREATE TABLE pages (
    author_id integer NOT NULL CONSTRAINT pages_author_fk REFERENCES authors,
    number integer NOT NULL,
    CONSTRAINT pages_pkey PRIMARY KEY (author_id, number)
);
INSERT INTO pages VALUES (1, 1), (2, 1);
CREATE TABLE logs (id bigint CONSTRAINT logs_pkey PRIMARY KEY, said text) PARTITION BY RANGE (id);
CREATE TABLE logs_low PARTITION OF logs FOR VALUES FROM (0) TO (9);
INSERT INTO logs VALUES (1, 'x');
CREATE TABLE countries (code text CONSTRAINT countries_pkey PRIMARY KEY);
INSERT INTO countries VALUES ('de');
CREATE VIEW names AS SELECT name FROM authors;
