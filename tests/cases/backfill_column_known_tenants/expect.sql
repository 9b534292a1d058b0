SELECT * FROM tickets t JOIN organizations o ON o.org_id = t.org_id WHERE o.number <> t.org_number;
