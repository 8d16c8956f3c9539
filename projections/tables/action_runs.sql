-- Runs of actions and what became of their deliveries (extensions "Actions"). The report is private text, joined by
-- reference when read.
CREATE TABLE run (
    environment_id    integer     NOT NULL,
    id                uuid        NOT NULL,
    organization_id   uuid        NOT NULL,
    action_id         uuid        NOT NULL,
    scanner_id        uuid        NOT NULL,
    cause             text        NOT NULL,
    triggered_by_user integer,
    status            text        NOT NULL,
    error_reason      text        NOT NULL,
    scheduled_at      timestamptz NOT NULL,
    window_start      timestamptz,
    window_end        timestamptz NOT NULL,
    -- Whether the window begins where the last one has ended, and ends at this position of the log.
    tiling            boolean     NOT NULL,
    position          bigint      NOT NULL,
    observation_count integer,
    matched           integer,
    report_id         uuid,
    reported_at       timestamptz,
    -- What the report cites: index, id, session_id.
    observations      json        NOT NULL,
    -- Each with id, item (as saved), status, round and attempts; an attempt has the id of its private answer.
    deliveries        json        NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    version           bigint      NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE UNIQUE INDEX run_id ON run (id);
CREATE INDEX run_action ON run (environment_id, action_id, created_at DESC, id);
CREATE INDEX run_anchor ON run (environment_id, action_id, position) WHERE tiling AND status = 'completed';

-- Actions that are deleted: their runs are hidden at once, with the action, and dropped later, in bounded chunks.
CREATE TABLE tombstone (
    action_id uuid PRIMARY KEY
);
CREATE TABLE cleanup (
    action_id uuid PRIMARY KEY
);
