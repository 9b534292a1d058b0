-- A tree, once by id with SET NULL and once by a natural key that becomes a key within the tenant.
CREATE TABLE folders (
    id bigserial PRIMARY KEY,
    parent_id bigint REFERENCES folders ON DELETE SET NULL,
    name text NOT NULL
);

CREATE TABLE accounts (
    code text PRIMARY KEY,
    under text REFERENCES accounts ON UPDATE CASCADE ON DELETE RESTRICT
);

INSERT INTO folders (parent_id, name) VALUES (NULL, 'root'), (1, 'a'), (1, 'b'), (3, 'c');
INSERT INTO accounts VALUES ('1', NULL), ('10', '1'), ('101', '10');
