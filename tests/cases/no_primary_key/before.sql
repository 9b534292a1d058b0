-- Tables without any key; one of them refers to a table that has one, one has rows that are equal.
CREATE TABLE devices (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text);

CREATE TABLE readings (device uuid REFERENCES devices, taken_at timestamptz, value numeric);

CREATE TABLE notes (body text);

INSERT INTO devices (id, name) VALUES ('00000000-0000-0000-0000-00000000000a', 'north');
INSERT INTO readings VALUES ('00000000-0000-0000-0000-00000000000a', '2024-05-01 10:00+00', 1.50), (NULL, NULL, NULL);
INSERT INTO notes VALUES ('twice'), ('twice'), (NULL);
