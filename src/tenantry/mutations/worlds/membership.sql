-- Somebody's database whose policies ask a function for the groups of the user; nothing of it was made by Tenantry.
CREATE TABLE members (team_id uuid NOT NULL, who text NOT NULL, PRIMARY KEY (team_id, who));
CREATE TABLE teams (id uuid PRIMARY KEY, name text);
CREATE TABLE projects (
    id uuid PRIMARY KEY, team_id uuid NOT NULL REFERENCES teams, title text, UNIQUE (team_id, id));
CREATE TABLE tasks (
    id uuid PRIMARY KEY, team_id uuid NOT NULL REFERENCES teams, project_id uuid, title text,
    FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id));
CREATE INDEX ON tasks (team_id);
ALTER TABLE members OWNER TO app_owner;
ALTER TABLE teams OWNER TO app_owner;
ALTER TABLE projects OWNER TO app_owner;
ALTER TABLE tasks OWNER TO app_owner;
CREATE FUNCTION is_member(uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS
    $$ SELECT EXISTS (SELECT FROM public.members WHERE team_id = $1 AND who = current_setting('app.user', true)) $$;
ALTER FUNCTION is_member(uuid) OWNER TO app_owner;
CREATE POLICY of_the_owner ON members TO app_owner USING (true);
CREATE POLICY mine ON teams USING (is_member(id));
CREATE POLICY mine ON projects USING (is_member(team_id));
CREATE POLICY mine ON tasks USING (is_member(team_id));
ALTER TABLE members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE teams ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE projects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE tasks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT ON teams TO app_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON projects, tasks TO app_user;
