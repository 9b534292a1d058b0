-- Reference data that every tenant reads: the application loses the right to write it, in its partitions and children too.
CREATE ROLE app_user LOGIN;
CREATE TABLE currencies (code text CONSTRAINT currencies_pkey PRIMARY KEY, nr serial);
CREATE TABLE rates (code text NOT NULL CONSTRAINT rates_currency_fkey REFERENCES currencies, day date NOT NULL, rate numeric) PARTITION BY RANGE (day);
CREATE TABLE rates_rest PARTITION OF rates DEFAULT;
CREATE TABLE old_currencies (gone_on date) INHERITS (currencies);
CREATE TABLE prices (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT prices_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT prices_currency_fkey REFERENCES currencies
);
GRANT ALL ON currencies, rates, rates_rest, old_currencies TO app_user;
GRANT SELECT, INSERT ON currencies TO PUBLIC;
GRANT UPDATE (nr), SELECT (code) ON currencies TO PUBLIC;
INSERT INTO currencies (code) VALUES ('EUR'), ('CHF');
INSERT INTO rates VALUES ('EUR', '2024-01-01', 1);
INSERT INTO prices (code) VALUES ('EUR');
