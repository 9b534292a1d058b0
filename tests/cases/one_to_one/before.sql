-- A primary key that is a reference too: the name made from it is the one of the reference to the tenants table.
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE, bio text);
CREATE TABLE portraits (id uuid PRIMARY KEY REFERENCES profiles, url text);

-- A plain name as key, shared by two tables.
CREATE TABLE codes (code text PRIMARY KEY);
CREATE TABLE code_texts (code text PRIMARY KEY REFERENCES codes ON UPDATE CASCADE ON DELETE CASCADE, body text);

INSERT INTO users VALUES ('00000000-0000-0000-0000-00000000000a');
INSERT INTO profiles VALUES ('00000000-0000-0000-0000-00000000000a', 'x');
INSERT INTO portraits VALUES ('00000000-0000-0000-0000-00000000000a', 'y');
INSERT INTO codes VALUES ('c');
INSERT INTO code_texts VALUES ('c', 'z');
