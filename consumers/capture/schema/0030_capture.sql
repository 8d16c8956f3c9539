-- Recorded sessions: facts, the batches ("parts") they came in, and the order in which sessions settled.
-- State of the capture consumer; everybody else reads it through projections/queries/sessions.py.

CREATE SCHEMA capture;

CREATE TABLE capture.session (
    environment_id       integer     NOT NULL,
    session_id           text        NOT NULL CHECK (char_length(session_id) BETWEEN 1 AND 128),
    -- Facts by the visitor's clock, milliseconds since 1970; null only until the first part is merged in the same transaction.
    first_timestamp      bigint,
    last_timestamp       bigint,
    click_count          bigint      NOT NULL DEFAULT 0,
    keypress_count       bigint      NOT NULL DEFAULT 0,
    mouse_activity_count bigint      NOT NULL DEFAULT 0,
    console_log_count    bigint      NOT NULL DEFAULT 0,
    console_warn_count   bigint      NOT NULL DEFAULT 0,
    console_error_count  bigint      NOT NULL DEFAULT 0,
    size                 bigint      NOT NULL DEFAULT 0,
    event_count          bigint      NOT NULL DEFAULT 0,
    message_count        bigint      NOT NULL DEFAULT 0,
    active_milliseconds  bigint      NOT NULL DEFAULT 0,
    distinct_id          text,
    distinct_ids         text[]      NOT NULL DEFAULT '{}',
    start_url            text,
    urls                 text[]      NOT NULL DEFAULT '{}',
    windows              text[]      NOT NULL DEFAULT '{}',
    snapshot_source      text,
    snapshot_library     text,
    -- What the lists above are made of, with the earliest time of each entry, and the bursts of activity: merges need it.
    state                jsonb,
    -- Our own clock.
    first_received_at    timestamptz,
    last_received_at     timestamptz,
    last_arrived_at      timestamptz,
    -- Null while the session is open; it gets a new number each time it settles.
    settle_number        bigint      UNIQUE,
    settled_at           timestamptz,
    reopened             integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (environment_id, session_id)
);

CREATE INDEX session_open ON capture.session (last_arrived_at) WHERE settle_number IS NULL;
CREATE INDEX session_settled ON capture.session (environment_id, settle_number) WHERE settle_number IS NOT NULL;

CREATE TABLE capture.part (
    environment_id  integer     NOT NULL,
    session_id      text        NOT NULL,
    uuid            uuid        NOT NULL,
    arrival         bigint      GENERATED ALWAYS AS IDENTITY,
    window_id       text        NOT NULL,
    -- A gzip member of JSON lines [window, event], somewhere inside a blob.
    blob            text        NOT NULL,
    blob_offset     bigint      NOT NULL,
    blob_length     bigint      NOT NULL,
    size            bigint      NOT NULL,
    event_count     integer     NOT NULL,
    unreadable_count integer    NOT NULL,
    first_timestamp bigint      NOT NULL,
    last_timestamp  bigint      NOT NULL,
    sent_at         timestamptz,
    received_at     timestamptz NOT NULL,
    arrived_at      timestamptz NOT NULL,
    PRIMARY KEY (environment_id, session_id, uuid),
    FOREIGN KEY (environment_id, session_id) REFERENCES capture.session ON DELETE CASCADE
);

CREATE INDEX part_arrival ON capture.part (environment_id, session_id, arrival);

-- One row; its lock puts settlers in the order of their commits, so numbers have no gaps and none appears late.
CREATE TABLE capture.settle_counter (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    number bigint  NOT NULL
);
INSERT INTO capture.settle_counter (number) VALUES (0);

CREATE TABLE capture.settlement (
    number         bigint      PRIMARY KEY,
    environment_id integer     NOT NULL,
    session_id     text        NOT NULL,
    settled_at     timestamptz NOT NULL
);
CREATE INDEX settlement_session ON capture.settlement (environment_id, session_id);

-- Messages that are no recording. The bytes are in the blob and, for replay, among the transport's dead letters.
CREATE TABLE capture.undecodable (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id integer,
    session_id     text,
    topic          text        NOT NULL,
    part           integer     NOT NULL,
    position       bigint      NOT NULL,
    code           text        NOT NULL,
    reason         text        NOT NULL,
    blob           text        NOT NULL,
    bytes          bigint      NOT NULL,
    at             timestamptz NOT NULL,
    UNIQUE (topic, part, position)
);
