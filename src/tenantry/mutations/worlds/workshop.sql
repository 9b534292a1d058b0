-- One customer's workshop: a schema and names that need quotes, composite keys, partitions.
CREATE SCHEMA "Work Shop";
CREATE TABLE "Work Shop"."Customers" (
    id uuid DEFAULT gen_random_uuid() CONSTRAINT "Customers pkey" PRIMARY KEY,
    "E-Mail" text NOT NULL CONSTRAINT "Customers ""E-Mail"" key" UNIQUE,
    "select" text
);
CREATE TABLE "Work Shop"."Order's" (
    "No." bigint NOT NULL,
    at date NOT NULL,
    customer uuid NOT NULL REFERENCES "Work Shop"."Customers",
    remark text,
    CONSTRAINT "Order's pkey" PRIMARY KEY ("No.", at)
) PARTITION BY RANGE (at);
CREATE TABLE "Work Shop"."Order's 2025" PARTITION OF "Work Shop"."Order's" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE "Work Shop"."Order's 2026" PARTITION OF "Work Shop"."Order's" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE "Work Shop"."line ""item""" (
    "No." bigint NOT NULL,
    at date NOT NULL,
    pos smallint NOT NULL,
    sku text NOT NULL,
    PRIMARY KEY ("No.", at, pos),
    FOREIGN KEY ("No.", at) REFERENCES "Work Shop"."Order's" ON DELETE CASCADE
);
CREATE TABLE "Work Shop".visit (
    id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
    customer uuid NOT NULL REFERENCES "Work Shop"."Customers",
    "when" timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE "Work Shop".country (code char(2) PRIMARY KEY, name text NOT NULL);
INSERT INTO "Work Shop"."Customers" VALUES
    ('00000000-0000-4000-8000-00000000000a', 'one@a.example', 'x'),
    ('00000000-0000-4000-8000-00000000000b', 'two@a.example', 'y');
INSERT INTO "Work Shop"."Order's" VALUES
    (1, '2025-05-01', '00000000-0000-4000-8000-00000000000a', 'first'),
    (2, '2026-05-01', '00000000-0000-4000-8000-00000000000b', 'second');
INSERT INTO "Work Shop"."line ""item""" VALUES (1, '2025-05-01', 1, 'bolt'), (2, '2026-05-01', 1, 'nut');
INSERT INTO "Work Shop".visit (customer) VALUES ('00000000-0000-4000-8000-00000000000a');
INSERT INTO "Work Shop".country VALUES ('NO', 'Norway');
