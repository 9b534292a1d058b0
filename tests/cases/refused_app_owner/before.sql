-- The application's role, or one that it is a member of, owns what it must not: tables of every scope, the trail, a
-- materialized view.
CREATE ROLE case_staff;
CREATE ROLE case_app LOGIN IN ROLE case_staff;
ALTER SCHEMA public OWNER TO case_staff;
CREATE TABLE tenants (id text CONSTRAINT tenants_pkey PRIMARY KEY, name text, slug text);

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;

CREATE TABLE audit_logs (
    id integer, actor_id text, tenant_id text, action text, resource_type text, resource_id text, ip_address text,
    metadata jsonb, created_at timestamptz
);
CREATE TABLE logins (desk_id integer CONSTRAINT logins_desk_fkey REFERENCES desks);
CREATE TABLE colours (id integer);
CREATE TABLE kept (id integer);
CREATE MATERIALIZED VIEW desk_list AS SELECT id FROM desks;
CREATE VIEW some_desks AS SELECT id FROM desks;
ALTER TABLE tenants OWNER TO case_staff;
ALTER TABLE audit_logs OWNER TO case_app;
ALTER TABLE desks OWNER TO case_app;
ALTER TABLE logins OWNER TO case_staff;
ALTER TABLE colours OWNER TO case_app;
ALTER TABLE kept OWNER TO case_app;
ALTER MATERIALIZED VIEW desk_list OWNER TO case_app;
ALTER VIEW some_desks OWNER TO case_app;
