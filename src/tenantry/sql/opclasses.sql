-- Types that an exclusion constraint can compare with "=" without naming an operator class: the default class of
-- the access method for that type holds an operator of that name. A type without a class of its own gets there by a
-- binary-coercible cast (varchar uses that of text) unless it has a "=" of its own, which is not in the class (citext).
-- Yields: method, type; by method and type.
WITH classes AS (
    SELECT a.amname, c.opcintype
    FROM pg_catalog.pg_opclass AS c
    JOIN pg_catalog.pg_am AS a ON a.oid = c.opcmethod
    WHERE a.amname IN ('gist', 'spgist')
      AND c.opcdefault
      AND EXISTS (
          SELECT FROM pg_catalog.pg_amop AS m
          JOIN pg_catalog.pg_operator AS o ON o.oid = m.amopopr
          WHERE m.amopfamily = c.opcfamily
            AND m.amoplefttype = c.opcintype
            AND m.amoprighttype = c.opcintype
            AND m.amoppurpose = 's'
            AND o.oprname = '='
      )
), types AS (
    SELECT amname, opcintype AS type FROM classes
    UNION
    SELECT classes.amname, k.castsource
    FROM classes
    JOIN pg_catalog.pg_cast AS k
      ON k.casttarget = classes.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_operator AS o
        WHERE o.oprname = '=' AND o.oprleft = k.castsource AND o.oprright = k.castsource
    )
)
SELECT amname AS method, pg_catalog.format_type(type, NULL) AS type
FROM types
ORDER BY amname, pg_catalog.format_type(type, NULL) COLLATE pg_catalog."C";
