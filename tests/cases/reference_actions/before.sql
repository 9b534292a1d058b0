-- Every action of a foreign key survives; what nulls or resets must leave the tenant alone.
CREATE TABLE people (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    nick text NOT NULL UNIQUE
);

CREATE TABLE tasks (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner integer NOT NULL CONSTRAINT tasks_owner_fkey REFERENCES people ON DELETE CASCADE,
    reviewer integer CONSTRAINT tasks_reviewer_fkey REFERENCES people ON DELETE SET NULL,
    tester integer DEFAULT 1 CONSTRAINT tasks_tester_fkey REFERENCES people ON DELETE SET DEFAULT,
    author integer CONSTRAINT tasks_author_fkey REFERENCES people ON DELETE RESTRICT ON UPDATE RESTRICT,
    nick text CONSTRAINT tasks_nick_fkey REFERENCES people (nick) ON UPDATE CASCADE ON DELETE SET NULL
);

CREATE TABLE shifts (
    day date,
    place integer,
    PRIMARY KEY (day, place)
);

-- SET NULL of one column of two.
CREATE TABLE duties (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day date NOT NULL,
    place integer,
    CONSTRAINT duties_shift_fkey FOREIGN KEY (day, place) REFERENCES shifts ON DELETE SET NULL (place)
);

COMMENT ON CONSTRAINT tasks_owner_fkey ON tasks IS 'tasks of somebody who left go';

INSERT INTO people (nick) VALUES ('ann'), ('ben'), ('cat');
INSERT INTO tasks (owner, reviewer, tester, author, nick) VALUES (1, 2, 3, 1, 'ann'), (2, NULL, 1, NULL, NULL), (3, 3, 3, 3, 'cat');
INSERT INTO shifts VALUES ('2024-01-01', 1), ('2024-01-02', 1);
INSERT INTO duties (day, place) VALUES ('2024-01-01', 1), ('2024-01-05', NULL);
