-- id: 316
-- slug: policy-other-roles
-- level: note
-- title: A policy that shows more to another role
-- controls: SOC 2 CC6.3
-- needs: role
-- why: It does not apply to the application. Whoever is, or becomes, a member of that role sees what it lets through.
--   The roles of resolvers and searches are left out while nobody logs in as them and nobody is a member; so is the login
--   of system work while its policy asks whether a recorded piece of work is open, and says so in what was not looked at.
-- fix: Give such a role to nobody who also serves tenants; review its members.
-- sabotage:
--   CREATE ROLE sabotage_support;
--   CREATE POLICY sabotage ON {table} TO sabotage_support USING (true);
SELECT
    policy.label AS object, policy.name AS detail,
    pg_catalog.format(
        'policy %s on %s lets more through for %s', policy.name, policy.label,
        (
            SELECT pg_catalog.string_agg(pg_catalog.pg_get_userbyid(r.oid), ', ' ORDER BY pg_catalog.pg_get_userbyid(r.oid))
            FROM pg_catalog.unnest(policy.roles) AS r (oid)
        )
    ) AS message
FROM policy
WHERE NOT policy.applies AND policy.permissive AND policy.scope IN ('tenant', 'through', 'tenants', 'trail')
  AND coalesce(policy.using_form, policy.check_form) NOT IN ('tenant', 'through', 'closed')
  AND NOT EXISTS (
      SELECT FROM param
      CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(param.p -> 'definers') AS d (role pg_catalog.text)
      JOIN pg_catalog.pg_roles AS r ON r.rolname = d.role
      WHERE policy.roles = ARRAY[r.oid] AND policy.cmd = 'r'
        AND NOT r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolbypassrls
        AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_roles AS m
            WHERE m.oid <> r.oid AND NOT m.rolsuper AND pg_catalog.pg_has_role(m.oid, r.oid, 'MEMBER')
        )
  )
  AND NOT EXISTS (
      SELECT FROM param
      CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(param.p -> 'work') AS w (
          policy pg_catalog.text, role pg_catalog.text, schema pg_catalog.text, name pg_catalog.text
      )
      JOIN pg_catalog.pg_roles AS r ON r.rolname = w.role
      JOIN pg_catalog.pg_policy AS p ON p.oid = policy.oid
      WHERE policy.name = w.policy AND policy.roles = ARRAY[r.oid] AND NOT r.rolsuper AND NOT r.rolbypassrls
        AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = pg_catalog.format('( SELECT %I.%I() AS %2$I)', w.schema, w.name)
        AND pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) = pg_catalog.format('( SELECT %I.%I() AS %2$I)', w.schema, w.name)
  );
