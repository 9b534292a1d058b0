-- pg: >=18
-- Temporal keys and the references to them are not converted.
CREATE TABLE contracts (
    id int4range,
    valid daterange,
    CONSTRAINT contracts_pkey PRIMARY KEY (id, valid WITHOUT OVERLAPS)
);

CREATE TABLE prices (
    id int4range,
    contract int4range,
    valid daterange,
    CONSTRAINT prices_key UNIQUE (id, valid WITHOUT OVERLAPS),
    CONSTRAINT prices_contract_fkey FOREIGN KEY (contract, PERIOD valid) REFERENCES contracts (id, PERIOD valid)
);
