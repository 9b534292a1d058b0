SELECT * FROM messages WHERE tenant_id <> (ARRAY['it''s', '50%', 'a:b', '\rest'])[id];
