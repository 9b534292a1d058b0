-- What observe mode needs: where it records, and the function that its policies call.
-- A policy calls it only for a row that tenant_isolation refuses, and it always lets the row through.

CREATE SCHEMA IF NOT EXISTS tenantry;

REVOKE ALL ON SCHEMA tenantry FROM PUBLIC;

CREATE TABLE IF NOT EXISTS tenantry.observations (
  seen_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  relation text NOT NULL,
  statement text NOT NULL,
  role text NOT NULL,
  application text NOT NULL,
  times bigint NOT NULL
);

-- A session counts in a setting of its own and writes a row at once and then every ten seconds at most for each
-- statement and table, so that a busy application meets neither a row lock nor a stream of writes. What it counted
-- last may be lost with the session: counts are lower bounds, but the first occurrence is always written.
-- The setting holds the epoch until which it only counts, the count, and the same epoch for the server's log, where a
-- transaction that may not write is told. PostgreSQL takes the setting back with a transaction that is rolled back.
-- Each expression here costs a good part of a look-up by key, so there are few before the count.
CREATE OR REPLACE FUNCTION tenantry.observe(relation text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- Constants are somebody's data and left out; a list of them is one, so that one statement counts as one.
  shape text := regexp_replace(left(current_query(), 4000),
    '(?:\m[eE]''(?:[^''\\]|''''|\\.)*''|''(?:[^'']|'''')*''|\$?\m\d+\M)'
    '(?:\s*,\s*(?:\m[eE]''(?:[^''\\]|''''|\\.)*''|''(?:[^'']|'''')*''|\$?\m\d+\M))*', '?', 'g');
  slot text := 'tenantry.seen_' || md5(relation || ' ' || shape);
  held text := nullif(current_setting(slot, true), '');
  counted bigint;
  told double precision;
  moment double precision;
BEGIN
  IF split_part(held, ' ', 1)::double precision > extract(epoch FROM clock_timestamp()) THEN
    PERFORM set_config(slot, split_part(held, ' ', 1) || ' ' || split_part(held, ' ', 2)::bigint + 1 || ' 0', false);
    RETURN true;
  END IF;
  moment := extract(epoch FROM clock_timestamp());
  counted := coalesce(split_part(held, ' ', 2)::bigint, 0) + 1;
  told := coalesce(split_part(held, ' ', 3)::double precision, 0);
  -- What is left of a constant that was cut off.
  shape := left(regexp_replace(shape, '''.*', '?'), 1000);
  IF current_setting('transaction_read_only') = 'on' THEN
    IF told <= moment THEN
      RAISE LOG 'tenantry observe: % would be filtered (% times): %', relation, counted, shape;
      told := moment + 10;
    END IF;
    -- The count is kept for the session's next transaction that may write.
    PERFORM set_config(slot, '0 ' || counted || ' ' || told, false);
  ELSE
    INSERT INTO tenantry.observations (relation, statement, role, application, times)
    VALUES (relation, shape, session_user, current_setting('application_name'), counted);
    PERFORM set_config(slot, moment + 10 || ' 0 0', false);
  END IF;
  RETURN true;
END
$$;
