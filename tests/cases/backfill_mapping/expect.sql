SELECT * FROM rentals r JOIN rental_owners o ON (o.country, o.no) = (r.country, r.number) WHERE r.tenant_id::text <> o.owner;
