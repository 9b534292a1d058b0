-- Two keys over the same columns, one of them deferrable; the server numbers the names of their parts in the order of their making.
CREATE TABLE seats (
    hall integer NOT NULL,
    place integer NOT NULL,
    holder text,
    CONSTRAINT seats_at_once UNIQUE (hall, place)
) PARTITION BY RANGE (hall);
CREATE TABLE seats_low PARTITION OF seats FOR VALUES FROM (0) TO (10);
CREATE TABLE seats_high PARTITION OF seats FOR VALUES FROM (10) TO (20);
ALTER TABLE seats ADD CONSTRAINT seats_in_the_end UNIQUE (hall, place) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE stands (
    hall integer,
    place integer,
    holder text,
    CONSTRAINT stands_in_the_end UNIQUE (hall, place) DEFERRABLE,
    CONSTRAINT stands_one_at_once UNIQUE (hall, place)
);

INSERT INTO seats VALUES (1, 1), (1, 2), (12, 1);
INSERT INTO stands VALUES (1, 1), (1, 2);
