-- Work without a tenant raises: text keys, a table behind another, a plain trail, a column of another name.
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT users_pkey PRIMARY KEY,
    email text NOT NULL CONSTRAINT users_email UNIQUE
);
INSERT INTO users (email) VALUES ('a@example.com'), ('b@example.com');

CREATE TABLE sessions (
    token text CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id bigint NOT NULL CONSTRAINT sessions_user_id_fk REFERENCES users
);
INSERT INTO sessions VALUES ('t', 1);

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT orders_pkey PRIMARY KEY,
    customer text NOT NULL,
    user_id bigint CONSTRAINT orders_user_id_fk REFERENCES users
);
INSERT INTO orders (customer, user_id) VALUES ('c', 1);
