-- Functions that name a key in ON CONFLICT are listed as code to edit; the last two name none.
CREATE TABLE counters (
    name text PRIMARY KEY,
    "Alias" text CONSTRAINT counters_alias_key UNIQUE,
    kind text,
    n integer NOT NULL DEFAULT 0,
    CONSTRAINT counters_kind_n_key UNIQUE (kind, n)
);
CREATE UNIQUE INDEX counters_kind_name ON counters (lower(kind), coalesce(name, ''));

CREATE FUNCTION bump(text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO counters (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET n = counters.n + 1
$$;

CREATE FUNCTION bump_alias(text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counters (name, "Alias") VALUES ($1, $1)
    on  conflict ( "Alias" ) DO NOTHING;
END
$$;

CREATE FUNCTION bump_kind(k text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counters (name, kind) VALUES (k, k) ON CONFLICT ON CONSTRAINT counters_kind_n_key DO NOTHING;
END
$$;

CREATE FUNCTION bump_any(text) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO counters (name) VALUES ($1) ON CONFLICT (n, kind) DO NOTHING;
END;

CREATE FUNCTION bump_lower(text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO counters (name, kind) VALUES ($1, $1) ON CONFLICT (LOWER(kind), coalesce(name, '')) DO NOTHING
$$;

CREATE FUNCTION bystander() RETURNS text LANGUAGE sql AS $$ SELECT 'no ON CONFLICT (name) on the table' $$;

CREATE FUNCTION other_key() RETURNS void LANGUAGE sql AS $$
    INSERT INTO counters (name) VALUES ('x') ON CONFLICT DO NOTHING
$$;

INSERT INTO counters (name, "Alias", kind) VALUES ('a', 'x', 'k'), ('b', NULL, NULL);
