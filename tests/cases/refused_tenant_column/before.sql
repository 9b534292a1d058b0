-- Columns that cannot be the tenant column: of another type, generated, and one that points elsewhere.
CREATE TABLE tenants (id text CONSTRAINT tenants_pkey PRIMARY KEY);
CREATE TABLE teams (id text CONSTRAINT teams_pkey PRIMARY KEY);
CREATE TABLE a (tenant_id integer NOT NULL);
CREATE TABLE b (team text, tenant_id text NOT NULL GENERATED ALWAYS AS (lower(team)) STORED);
CREATE TABLE c (tenant_id text NOT NULL CONSTRAINT c_team_fkey REFERENCES teams);
