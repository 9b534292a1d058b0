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
CREATE OR REPLACE FUNCTION tenantry.observe(relation text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- Constants are left out: they are somebody's data, and one statement must count as one.
  shape text := left(regexp_replace(regexp_replace(current_query(), '''([^'']|'''')*''', '?', 'g'), '\m\d+\M', '?', 'g'), 1000);
  slot text := 'tenantry.seen_' || md5(relation || ' ' || shape);
  held text[] := string_to_array(nullif(current_setting(slot, true), ''), ' ');
  counted bigint := coalesce(held[1]::bigint, 0) + 1;
  written double precision := coalesce(held[2]::double precision, 0);
  moment double precision := extract(epoch FROM clock_timestamp());
BEGIN
  IF moment - written < 10 THEN
    PERFORM set_config(slot, counted || ' ' || written, false);
  ELSIF current_setting('transaction_read_only') = 'on' THEN
    RAISE LOG 'tenantry observe: % would be filtered (% times): %', relation, counted, shape;
    -- The count is kept for the session's next transaction that may write.
    PERFORM set_config(slot, counted || ' 0', false);
  ELSE
    INSERT INTO tenantry.observations (relation, statement, role, application, times)
    VALUES (relation, shape, session_user, current_setting('application_name'), counted);
    PERFORM set_config(slot, '0 ' || moment, false);
  END IF;
  RETURN true;
END
$$;
