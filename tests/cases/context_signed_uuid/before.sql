-- A signed context that raises: a typed key, and names that need quotes.
CREATE TABLE machines (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT machines_pkey PRIMARY KEY,
    name text NOT NULL
);
INSERT INTO machines (name) VALUES ('drill'), ('lathe');

CREATE TABLE visits (
    machine bigint NOT NULL CONSTRAINT visits_machine_fk REFERENCES machines,
    day date NOT NULL,
    CONSTRAINT visits_pkey PRIMARY KEY (machine, day)
);
INSERT INTO visits VALUES (1, '2026-01-01');
