SELECT m.id FROM members m WHERE m.id <> (SELECT CASE o.title WHEN 'First' THEN 1 ELSE 2 END FROM organizations o WHERE o.id = m.employer);
