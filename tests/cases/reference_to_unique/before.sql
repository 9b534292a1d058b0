-- References to keys that are not the primary one: a unique that becomes one within the tenant, a unique that
-- stays global, a bare unique index, and one whose columns are referred to in another order.
CREATE TABLE products (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku text NOT NULL CONSTRAINT products_sku_key UNIQUE,
    barcode text NOT NULL CONSTRAINT products_barcode_key UNIQUE,
    shelf integer NOT NULL,
    place integer NOT NULL,
    serial_number text NOT NULL
);
CREATE UNIQUE INDEX products_serial_number ON products (serial_number);
ALTER TABLE products ADD CONSTRAINT products_shelf_place_key UNIQUE (shelf, place);

CREATE TABLE stock (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku text NOT NULL CONSTRAINT stock_sku_fkey REFERENCES products (sku) ON UPDATE CASCADE,
    barcode text CONSTRAINT stock_barcode_fkey REFERENCES products (barcode) ON DELETE SET NULL,
    serial_number text CONSTRAINT stock_serial_number_fkey REFERENCES products (serial_number),
    place integer,
    shelf integer,
    CONSTRAINT stock_place_fkey FOREIGN KEY (place, shelf) REFERENCES products (place, shelf)
);

INSERT INTO products (sku, barcode, shelf, place, serial_number) VALUES ('p-1', '401', 1, 1, 's1'), ('p-2', '402', 1, 2, 's2');
INSERT INTO stock (sku, barcode, serial_number, place, shelf) VALUES ('p-1', '401', 's1', 1, 1), ('p-2', NULL, NULL, 2, 1), ('p-2', '402', 's2', NULL, 1);
