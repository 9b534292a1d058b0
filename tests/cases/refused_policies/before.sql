-- Policies that nobody decided about, or that would let rows through beside ours: for everybody, for the application,
-- for a role that it is in, and on the tenants table.
CREATE ROLE case_staff;
CREATE ROLE app_user LOGIN IN ROLE case_staff;
CREATE TABLE tenants (id text CONSTRAINT tenants_pkey PRIMARY KEY, name text, slug text);
CREATE POLICY everybody ON tenants FOR SELECT USING (true);

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE POLICY for_all ON desks USING (true);
CREATE POLICY for_app ON desks FOR SELECT TO app_user USING (true);
CREATE POLICY for_staff ON desks FOR SELECT TO case_staff USING (true);
CREATE POLICY nobody_knows ON desks USING (true);
CREATE POLICY later ON desks USING (true);
CREATE TABLE plates (id integer, made_on date) PARTITION BY RANGE (made_on);
CREATE TABLE plates_rest PARTITION OF plates DEFAULT;
CREATE POLICY own ON plates_rest USING (true);
CREATE TABLE desk_logins (desk_id integer CONSTRAINT desk_logins_desk_fkey REFERENCES desks);
CREATE POLICY own ON desk_logins USING (true);
