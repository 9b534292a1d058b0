-- The second customer of the workshop, after the conversion.
INSERT INTO "Work Shop"."Tenants" ("Key", name, slug) VALUES ('00000000-0000-4000-8000-000000000002', 'Second', 'second');
INSERT INTO "Work Shop"."Customers" (id, "E-Mail", "Tenant Id") VALUES
    ('00000000-0000-4000-8000-00000000000c', 'one@b.example', '00000000-0000-4000-8000-000000000002');
INSERT INTO "Work Shop"."Order's" ("No.", at, customer, remark, "Tenant Id") VALUES
    (3, '2025-06-01', '00000000-0000-4000-8000-00000000000c', 'third', '00000000-0000-4000-8000-000000000002'),
    (4, '2026-06-01', '00000000-0000-4000-8000-00000000000c', 'fourth', '00000000-0000-4000-8000-000000000002');
INSERT INTO "Work Shop"."line ""item""" ("No.", at, pos, sku, "Tenant Id") VALUES
    (3, '2025-06-01', 1, 'bolt', '00000000-0000-4000-8000-000000000002'),
    (4, '2026-06-01', 1, 'nut', '00000000-0000-4000-8000-000000000002');
INSERT INTO "Work Shop".visit (customer, "Tenant Id")
    VALUES ('00000000-0000-4000-8000-00000000000c', '00000000-0000-4000-8000-000000000002');
