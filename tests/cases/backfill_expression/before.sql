-- An expression says whose row it is; percent signs, colons, quotes, a backslash and a comment in it are its own affair.
CREATE TABLE tenants (
    id text CONSTRAINT tenants_pkey PRIMARY KEY
);
CREATE TABLE messages (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT messages_pkey PRIMARY KEY,
    "the 100% sender" text NOT NULL
);
INSERT INTO tenants VALUES ('it''s'), ('50%'), ('a:b'), ('\rest');
INSERT INTO messages ("the 100% sender") VALUES ('mr. ''quote'''), ('50%'), ('x:y'), ('other');
