SELECT * FROM guests g JOIN bookings b ON b.id = g.id WHERE g.tenant_id <> b.tenant_id;
