-- Sources that name what is not there, or not enough.
CREATE TABLE people (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT people_pkey PRIMARY KEY
);
CREATE TABLE letters (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT letters_pkey PRIMARY KEY,
    sender integer CONSTRAINT letters_sender_fkey REFERENCES people,
    reader integer CONSTRAINT letters_reader_fkey REFERENCES people
);
CREATE TABLE a (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT a_pkey PRIMARY KEY, team text);
CREATE TABLE b (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT b_pkey PRIMARY KEY, team text);
CREATE TABLE c (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT c_pkey PRIMARY KEY, team text);
CREATE TABLE d (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT d_pkey PRIMARY KEY, team text);
CREATE TABLE e (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT e_pkey PRIMARY KEY, team text);
CREATE TABLE f (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT f_pkey PRIMARY KEY, team text);
CREATE TABLE g (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT g_pkey PRIMARY KEY, team text);
CREATE TABLE h (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT h_pkey PRIMARY KEY, team text);
CREATE TABLE teams (name text, tenant text);
