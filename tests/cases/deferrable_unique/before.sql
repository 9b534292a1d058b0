-- Uniques and a primary key that are checked late stay so. No foreign key may point at them.
CREATE TABLE queue (
    place integer CONSTRAINT queue_pkey PRIMARY KEY DEFERRABLE INITIALLY DEFERRED,
    rank integer NOT NULL CONSTRAINT queue_rank_key UNIQUE DEFERRABLE,
    ticket integer CONSTRAINT queue_ticket_key UNIQUE DEFERRABLE INITIALLY DEFERRED
);

INSERT INTO queue VALUES (1, 10, 100), (2, 20, NULL), (3, 30, 300);
