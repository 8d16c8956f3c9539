-- Secrets that sign the webhooks of environments. They lie sealed beside the log; here is only that there are some.
CREATE TABLE webhook_secret (
    environment_id  integer     NOT NULL,
    id              integer     NOT NULL,
    organization_id uuid        NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (environment_id, id)
);

-- Where deliveries go that has been switched off at least once. `target` refers to private text.
CREATE TABLE endpoint (
    environment_id  integer     NOT NULL,
    id              uuid        NOT NULL,
    organization_id uuid        NOT NULL,
    type            text        NOT NULL,
    target          uuid        NOT NULL,
    disabled_at     timestamptz,
    enabled_at      timestamptz,
    failing_since   timestamptz,
    reason          text,
    PRIMARY KEY (environment_id, id)
);
