-- Somebody's database whose policies read the claims of a token; nothing of it was made by Tenantry.
CREATE TABLE orgs (id uuid PRIMARY KEY, name text);
CREATE TABLE people (
    id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, email text, UNIQUE (org_id, id), UNIQUE (org_id, email));
CREATE TABLE notes (
    id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, author uuid, body text,
    FOREIGN KEY (org_id, author) REFERENCES people (org_id, id));
CREATE INDEX ON notes (org_id);
CREATE POLICY own ON orgs
    USING (id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org')::uuid);
CREATE POLICY own ON people
    USING (org_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org')::uuid);
CREATE POLICY own ON notes
    USING (org_id = (SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'org')::uuid));
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE orgs OWNER TO app_owner;
ALTER TABLE people OWNER TO app_owner;
ALTER TABLE notes OWNER TO app_owner;
GRANT SELECT ON orgs TO app_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON people, notes TO app_user;
