-- A number says whose row it is; the tenants are made with those numbers as keys, and the next key is a free one.
CREATE TABLE calls (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT calls_pkey PRIMARY KEY,
    account integer NOT NULL
);
INSERT INTO calls (account) VALUES (1), (3), (3);
