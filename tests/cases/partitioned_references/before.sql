-- Foreign keys from a partitioned table, to one, between two, and from a partition alone. One has the name that is wanted,
-- so the server has the names of its parts, with numbers.
CREATE TABLE customers (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT customers_pkey PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE orders (
    id serial,
    placed_on date NOT NULL,
    customer_id integer NOT NULL CONSTRAINT orders_customer_fkey REFERENCES customers ON DELETE CASCADE,
    CONSTRAINT orders_pkey PRIMARY KEY (id, placed_on)
) PARTITION BY RANGE (placed_on);
CREATE TABLE orders_old PARTITION OF orders FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE orders_new PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
CREATE TABLE invoices (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT invoices_pkey PRIMARY KEY,
    order_id integer,
    placed_on date,
    CONSTRAINT invoices_tenant_order_placed_on_fk FOREIGN KEY (order_id, placed_on) REFERENCES orders (id, placed_on) ON DELETE SET NULL
);
CREATE TABLE order_events (
    order_id integer NOT NULL,
    placed_on date NOT NULL,
    what text NOT NULL,
    reviewer integer,
    CONSTRAINT order_events_order_fkey FOREIGN KEY (order_id, placed_on) REFERENCES orders (id, placed_on)
) PARTITION BY HASH (order_id);
CREATE TABLE order_events_0 PARTITION OF order_events FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE order_events_1 PARTITION OF order_events FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE order_events_1 ADD CONSTRAINT order_events_1_reviewer_fkey FOREIGN KEY (reviewer) REFERENCES customers;

INSERT INTO customers (name) VALUES ('Ann'), ('Bea');
INSERT INTO orders (placed_on, customer_id) VALUES ('2023-03-01', 1), ('2024-03-01', 2), ('2024-03-02', 2);
INSERT INTO invoices (order_id, placed_on) VALUES (1, '2023-03-01'), (2, '2024-03-01'), (NULL, NULL);
INSERT INTO order_events VALUES (1, '2023-03-01', 'sent', 1), (2, '2024-03-01', 'sent', 2), (3, '2024-03-02', 'lost', NULL);
