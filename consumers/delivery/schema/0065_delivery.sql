-- Numbers of webhook secrets; see environment_number.
CREATE SEQUENCE store.webhook_secret_number AS integer;

CREATE SCHEMA delivery;

-- Endpoints whose last attempt failed, a row each (consumers/delivery/health.py). A success removes the row.
CREATE TABLE delivery.failing (
    environment_id integer     NOT NULL,
    endpoint_id    uuid        NOT NULL,
    failing_since  timestamptz NOT NULL,
    attempts       bigint      NOT NULL,
    PRIMARY KEY (environment_id, endpoint_id)
);
