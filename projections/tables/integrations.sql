-- Ways into other products that operators have given to environments. Tokens lie sealed beside the log.
CREATE TABLE integration (
    environment_id  integer     NOT NULL,
    id              integer     NOT NULL,
    organization_id uuid        NOT NULL,
    type            text        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (environment_id, id)
);
