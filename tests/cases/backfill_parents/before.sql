-- One hop, two hops, a hop over a composite key, one to a partitioned parent, and one that names its columns.
CREATE TABLE accounts (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT accounts_pkey PRIMARY KEY,
    customer text NOT NULL,
    email text NOT NULL CONSTRAINT accounts_email_key UNIQUE
);
CREATE TABLE baskets (
    account_id integer NOT NULL CONSTRAINT baskets_account_fkey REFERENCES accounts ON DELETE CASCADE,
    number integer NOT NULL,
    opened_on date NOT NULL,
    CONSTRAINT baskets_pkey PRIMARY KEY (account_id, number, opened_on)
) PARTITION BY RANGE (opened_on);
CREATE TABLE baskets_2024 PARTITION OF baskets FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE baskets_rest PARTITION OF baskets DEFAULT;
CREATE TABLE items (
    account_id integer NOT NULL,
    number integer NOT NULL,
    opened_on date NOT NULL,
    line integer NOT NULL,
    CONSTRAINT items_pkey PRIMARY KEY (account_id, number, opened_on, line),
    CONSTRAINT items_basket_fkey FOREIGN KEY (account_id, number, opened_on) REFERENCES baskets ON DELETE CASCADE
);
CREATE TABLE logins (
    email text NOT NULL,
    at timestamptz NOT NULL,
    invited_by integer CONSTRAINT logins_inviter_fkey REFERENCES accounts
);
INSERT INTO accounts (customer, email) VALUES ('acme', 'a@example.test'), ('globex', 'b@example.test');
INSERT INTO baskets VALUES (1, 1, '2024-05-01'), (2, 1, '2024-05-01'), (2, 2, '2025-05-01');
INSERT INTO items VALUES (1, 1, '2024-05-01', 1), (2, 1, '2024-05-01', 1), (2, 2, '2025-05-01', 1), (2, 2, '2025-05-01', 2);
INSERT INTO logins VALUES ('a@example.test', '2024-05-01 10:00+00', NULL), ('b@example.test', '2024-05-01 10:00+00', 2);
