-- A primary key of two columns whose ids come from the database, and a table that refers to it.
CREATE TABLE orders (
    region integer NOT NULL,
    number integer GENERATED ALWAYS AS IDENTITY,
    placed_on date NOT NULL,
    CONSTRAINT orders_pkey PRIMARY KEY (region, number)
);

CREATE TABLE order_lines (
    region integer NOT NULL,
    number integer NOT NULL,
    line smallint NOT NULL,
    article text NOT NULL,
    CONSTRAINT order_lines_pkey PRIMARY KEY (region, number, line),
    CONSTRAINT order_lines_order_fkey FOREIGN KEY (region, number) REFERENCES orders (region, number) ON DELETE CASCADE
);

INSERT INTO orders (region, placed_on) VALUES (1, '2024-01-05'), (1, '2024-02-05'), (2, '2024-02-06');
INSERT INTO order_lines VALUES (1, 1, 1, 'pen'), (1, 1, 2, 'ink'), (2, 3, 1, 'paper');
