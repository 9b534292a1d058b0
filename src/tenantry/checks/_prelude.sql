-- What every check reads, put before its query. $1 is a JSON object: roles (names of the application), schemas
-- (those looked at), column and setting of the tenant, tables (what is known of them, with the oids of which), policies (what
-- their expressions came to, with the oids of which), lookups (oids of functions), definers (schema, name, role, settings,
-- language and the pattern of the body), searched (columns of a table that a search is about), work (policy and role of each login, schema and name of the function that its policy asks).
WITH param AS (
    SELECT
        $1::pg_catalog.jsonb AS p,
        pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version
), bug AS (
    -- Known holes that this server still has. A test may pretend an older one; nobody can pretend a newer one.
    SELECT
        bug.level, bug.cve,
        pg_catalog.format('%s.%s: %s; fixed in %s.%s (%s)', server.version / 10000, server.version % 10000, bug.what, bug.major, bug.minor, bug.cve) AS message
    FROM (
        SELECT param.p, least(
            param.version,
            nullif(pg_catalog.current_setting('tenantry.pretended_version', true), '')::pg_catalog.int4
        ) AS version
        FROM param
    ) AS server
    CROSS JOIN pg_catalog.jsonb_to_recordset(server.p -> 'bugs') AS bug (
        cve pg_catalog.text, level pg_catalog.text, what pg_catalog.text, major pg_catalog.int4, minor pg_catalog.int4
    )
    WHERE bug.major = server.version / 10000 AND bug.minor > server.version % 10000
), role AS (
    -- Who logs in, and whose rights the application uses.
    SELECT r.oid, r.rolname AS name, r.rolsuper AS superuser
    FROM param
    JOIN pg_catalog.pg_roles AS r ON param.p -> 'roles' ? r.rolname
), become AS (
    -- What it is or may become: since PostgreSQL 16 a membership may give neither SET nor INHERIT.
    SELECT r.oid, r.rolname AS name, role.name AS who, r.oid = role.oid AS itself, r.rolsuper AS superuser
    FROM role
    CROSS JOIN param
    JOIN pg_catalog.pg_roles AS r
      ON r.oid = role.oid
      OR NOT role.superuser AND pg_catalog.pg_has_role(
          role.oid, r.oid,
          CASE WHEN param.version >= 160000 THEN 'USAGE, SET, MEMBER WITH ADMIN OPTION' ELSE 'MEMBER' END
      )
), reach AS (
    -- Those of them whom privileges bind; of a superuser there is nothing more to say than that it is one.
    SELECT oid, name, who, itself FROM become WHERE NOT superuser
), space AS (
    SELECT n.oid, n.nspname AS name, n.nspowner AS owner
    FROM param
    JOIN pg_catalog.pg_namespace AS n ON param.p -> 'schemas' ? n.nspname
), told AS MATERIALIZED (
    SELECT o.oid::pg_catalog.oid AS oid, t.scope, t.col, t.child, t.kept
    FROM param
    CROSS JOIN pg_catalog.jsonb_to_recordset(param.p -> 'tables') AS t (
        scope pg_catalog.text, col pg_catalog.int2, child pg_catalog.bool, kept pg_catalog.jsonb,
        oids pg_catalog.jsonb
    )
    CROSS JOIN pg_catalog.jsonb_array_elements_text(t.oids) AS o (oid)
), reading AS MATERIALIZED (
    SELECT o.oid::pg_catalog.oid AS oid, r."using", r."check"
    FROM param
    CROSS JOIN pg_catalog.jsonb_to_recordset(param.p -> 'policies') AS r (
        "using" pg_catalog.jsonb, "check" pg_catalog.jsonb, oids pg_catalog.jsonb
    )
    CROSS JOIN pg_catalog.jsonb_array_elements_text(r.oids) AS o (oid)
), rel AS (
    -- Relations of those schemas; extensions' own are left out. "col" is the number of the tenant column.
    SELECT
        c.oid,
        c.relnamespace AS namespace,
        s.name AS schema,
        CASE s.name WHEN 'public' THEN c.relname::pg_catalog.text ELSE s.name || '.' || c.relname END AS label,
        c.relkind AS kind,
        c.relowner AS owner,
        c.relrowsecurity AS enabled,
        c.relforcerowsecurity AS forced,
        c.relispartition OR coalesce(t.child, false) AS child,
        t.scope,
        t.col,
        coalesce(t.kept, '[]') AS kept
    FROM space AS s
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = s.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    LEFT JOIN told AS t ON t.oid = c.oid
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
), mine AS (
    -- Tables whose rows belong to tenants, the tenants table and the trail included.
    SELECT * FROM rel WHERE scope IN ('tenant', 'through', 'tenants', 'trail')
), access AS (
    -- What the application may do with a relation, by whichever of its roles, also on one column only.
    SELECT rel.oid, w.word, pg_catalog.bool_or(reach.oid = rel.owner) AS owned
    FROM param
    CROSS JOIN rel
    CROSS JOIN LATERAL pg_catalog.unnest(
        ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']
        || CASE WHEN param.version >= 170000 THEN ARRAY['MAINTAIN'] END
    ) AS w (word)
    JOIN reach
      ON pg_catalog.has_schema_privilege(reach.oid, rel.namespace, 'USAGE')
     AND (
         pg_catalog.has_table_privilege(reach.oid, rel.oid, w.word)
         OR CASE
             WHEN w.word IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
             THEN pg_catalog.has_any_column_privilege(reach.oid, rel.oid, w.word)
         END
     )
    WHERE rel.kind <> 'S'
    GROUP BY rel.oid, w.word
), policy AS (
    -- Policies with what their expressions came to. "applies": to the application, or, where its role is not known, to
    -- somebody who logs in.
    SELECT
        p.oid,
        p.polrelid AS rel,
        rel.label,
        rel.scope,
        rel.col,
        p.polname::pg_catalog.text AS name,
        p.polpermissive AS permissive,
        p.polcmd AS cmd,
        p.polroles AS roles,
        p.polqual IS NOT NULL AS has_using,
        p.polwithcheck IS NOT NULL AS has_check,
        0 = ANY (p.polroles)
            OR EXISTS (SELECT FROM reach WHERE reach.oid = ANY (p.polroles))
            OR NOT EXISTS (SELECT FROM role) AND EXISTS (
                SELECT FROM pg_catalog.pg_roles AS l
                CROSS JOIN pg_catalog.unnest(p.polroles) AS r (oid)
                WHERE l.rolcanlogin AND NOT l.rolsuper AND pg_catalog.pg_has_role(l.oid, r.oid, 'MEMBER')
            ) AS applies,
        j."using" ->> 'form' AS using_form,
        j."using" AS using_read,
        j."check" ->> 'form' AS check_form,
        j."check" AS check_read
    FROM rel
    JOIN pg_catalog.pg_policy AS p ON p.polrelid = rel.oid
    LEFT JOIN reading AS j ON j.oid = p.oid
), guard AS (
    -- Restrictive policies that apply to the application, whichever of its roles it takes on.
    SELECT rel, cmd, using_form, check_form
    FROM policy
    WHERE NOT permissive AND applies
      AND (
          0 = ANY (roles)
          OR NOT EXISTS (
              SELECT FROM reach
              WHERE NOT EXISTS (
                  SELECT FROM pg_catalog.unnest(roles) AS r (oid)
                  WHERE pg_catalog.pg_has_role(reach.oid, r.oid, 'USAGE')
              )
          )
      )
), arm AS (
    -- One row for each expression of a policy that applies and each command it is asked for. "part": of the rows
    -- that are there (using) or of those that are written (check). "guarded": a restrictive policy isolates anyhow.
    SELECT
        a.*,
        EXISTS (
            SELECT FROM guard AS r
            WHERE r.rel = a.rel AND r.cmd IN ('*', a.command)
              AND CASE a.part WHEN 'check' THEN coalesce(r.check_form, r.using_form) ELSE r.using_form END
                  IN ('tenant', 'through', 'closed')
        ) AS guarded
    FROM (
        SELECT
            policy.rel, policy.label, policy.scope, policy.name, policy.permissive, policy.cmd, c.command, c.part,
            CASE c.part WHEN 'check' THEN coalesce(policy.check_read, policy.using_read) ELSE policy.using_read END AS read,
            CASE c.part WHEN 'check' THEN coalesce(policy.check_form, policy.using_form) ELSE policy.using_form END AS form
        FROM policy
        JOIN (
            VALUES ('r', 'using'), ('w', 'using'), ('d', 'using'), ('a', 'check'), ('w', 'check')
        ) AS c (command, part) ON policy.cmd IN ('*', c.command)
        WHERE policy.applies
    ) AS a
), reads AS (
    -- Which view reads which relation, directly or through other views.
    WITH RECURSIVE direct (view, source) AS (
        SELECT r.ev_class, d.refobjid
        FROM pg_catalog.pg_rewrite AS r
        JOIN pg_catalog.pg_depend AS d
          ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
        WHERE r.ev_class >= 16384 AND r.rulename = '_RETURN'
        GROUP BY 1, 2
    ), down (view, source) AS (
        SELECT view, source FROM direct
        UNION
        SELECT down.view, direct.source FROM down JOIN direct ON direct.view = down.source
    )
    SELECT view, source FROM down
), chain AS (
    -- Views over tables of tenants, with every view on the way. "reached": by the application, also through others.
    SELECT
        v.oid, v.label, v.kind, v.owner, mine.oid AS base,
        EXISTS (
            SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
            WHERE o.option_name = 'security_invoker' AND o.option_value::pg_catalog.bool
        ) AS invoker,
        NOT EXISTS (SELECT FROM role)
            OR EXISTS (SELECT FROM access WHERE access.oid = v.oid)
            OR EXISTS (
                SELECT FROM reads AS above JOIN access ON access.oid = above.view WHERE above.source = v.oid
            ) AS reached
    FROM reads
    JOIN rel AS v ON v.oid = reads.view AND v.kind IN ('v', 'm')
    JOIN mine ON mine.oid = reads.source
    JOIN pg_catalog.pg_class AS c ON c.oid = v.oid
), proc AS (
    -- Functions that are not part of the server; "label" names the types of the arguments.
    SELECT
        f.oid,
        CASE WHEN n.nspname <> 'public' THEN n.nspname || '.' ELSE '' END
            || f.proname || '(' || pg_catalog.pg_get_function_identity_arguments(f.oid) || ')' AS label,
        f.prosecdef AS definer,
        f.provolatile AS volatility,
        f.proleakproof AS leakproof,
        f.proowner AS owner,
        f.prosrc AS source,
        f.proconfig AS config,
        f.prorettype IN (
            'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype
        ) AS trigger,
        l.lanname AS language,
        o.rolname AS owner_name,
        -- No policy binds the owner, or one of its own shows it more than the application's shows that.
        o.rolsuper OR o.rolbypassrls OR EXISTS (
            SELECT FROM policy AS p
            CROSS JOIN LATERAL pg_catalog.unnest(p.roles) AS r (oid)
            WHERE NOT p.applies AND p.permissive AND r.oid <> 0 AND p.scope IN ('tenant', 'through', 'tenants')
              AND coalesce(p.using_form, p.check_form) NOT IN ('tenant', 'through', 'closed')
              AND pg_catalog.pg_has_role(o.oid, r.oid, 'USAGE')
        ) AS free,
        -- One that the spec declares, as it is to be: it returns a tenant's id, or keys of the session's tenant.
        f.prosecdef AND f.prosqlbody IS NULL
            AND NOT o.rolsuper AND NOT o.rolbypassrls AND NOT o.rolcanlogin
            AND EXISTS (
                SELECT FROM param
                CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(param.p -> 'definers') AS d (
                    schema pg_catalog.text, name pg_catalog.text, role pg_catalog.text, config pg_catalog.jsonb,
                    language pg_catalog.text, pattern pg_catalog.text
                )
                WHERE d.schema = n.nspname AND d.name = f.proname AND d.role = o.rolname AND f.prosrc ~ d.pattern
                  AND d.language = l.lanname AND pg_catalog.to_jsonb(f.proconfig) = d.config
            ) AS declared,
        -- One of those that say the session's tenant, to the letter.
        param.p -> 'context' @> pg_catalog.to_jsonb(f.oid::pg_catalog.int8) AS context,
        -- One that only tells policies what the session's user belongs to.
        param.p -> 'lookups' @> pg_catalog.to_jsonb(f.oid::pg_catalog.int8) AS lookup,
        EXISTS (
            SELECT FROM reach
            WHERE pg_catalog.has_schema_privilege(reach.oid, n.oid, 'USAGE')
              AND pg_catalog.has_function_privilege(reach.oid, f.oid, 'EXECUTE')
        ) AS callable
    FROM param
    CROSS JOIN pg_catalog.pg_proc AS f
    JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
    JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
    JOIN pg_catalog.pg_roles AS o ON o.oid = f.proowner
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'tenantry')
      AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend AS d
          WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = f.oid AND d.deptype = 'e'
      )
)
