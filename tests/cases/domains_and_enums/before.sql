-- Columns of domains and enums, also in keys that become keys within the tenant, and in references.
CREATE DOMAIN sku AS text CHECK (VALUE ~ '^[A-Z]{2}[0-9]+$');
CREATE DOMAIN short_sku AS sku CHECK (length(VALUE) < 9);
CREATE TYPE season AS ENUM ('spring', 'autumn');
CREATE TABLE products (
    code short_sku CONSTRAINT products_pkey PRIMARY KEY,
    season season NOT NULL,
    CONSTRAINT products_code_season_key UNIQUE (code, season)
);
CREATE TABLE stock (
    code short_sku NOT NULL,
    season season NOT NULL,
    pieces integer NOT NULL,
    CONSTRAINT stock_pkey PRIMARY KEY (code, season),
    CONSTRAINT stock_product_fkey FOREIGN KEY (code, season) REFERENCES products (code, season) ON UPDATE CASCADE
);
INSERT INTO products VALUES ('AB1', 'spring'), ('AB2', 'autumn');
INSERT INTO stock VALUES ('AB1', 'spring', 4), ('AB2', 'autumn', 0);
