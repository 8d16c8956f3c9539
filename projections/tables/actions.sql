-- The actions of an environment, in the words of contract 8.1. A deleted action stays as a tombstone.
CREATE TABLE action (
    environment_id   integer     NOT NULL,
    id               uuid        NOT NULL,
    organization_id  uuid        NOT NULL,
    scanner          uuid        NOT NULL,
    name             text        NOT NULL,
    enabled          boolean     NOT NULL,
    trigger_type     text        NOT NULL,
    mode             text        NOT NULL,
    -- json, not jsonb: answered as they were stored.
    trigger_config   json        NOT NULL,
    selection        json        NOT NULL,
    synthesis_config json        NOT NULL,
    alert_config     json        NOT NULL,
    delivery_config  json        NOT NULL,
    -- How an alert stands (domain.alert.AlertState); null in other modes.
    alert            json,
    next_run_at      timestamptz,
    last_run_at      timestamptz,
    -- The version of the stream that last set when it is due, and the latest time that it was due and had its run.
    schedule_version bigint      NOT NULL,
    last_due_at      timestamptz,
    created_by       integer,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    deleted_at       timestamptz,
    -- Version of the stream, for ETag and If-Match.
    version          bigint      NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE UNIQUE INDEX action_id ON action (id);
CREATE INDEX action_name ON action (environment_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX action_scanner ON action (environment_id, scanner) WHERE deleted_at IS NULL;
CREATE INDEX action_due ON action (next_run_at) WHERE deleted_at IS NULL AND enabled;
