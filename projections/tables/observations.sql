-- One row a scanner and session (contract 4), wide: a typed column for everything that lists filter or sort by, beside
-- the ready parts of the answer. Free text is private and joined by reference when read.
CREATE TABLE observation (
    environment_id    integer     NOT NULL,
    id                uuid        NOT NULL,
    scanner_id        uuid        NOT NULL,
    session_id        text        NOT NULL,
    status            text        NOT NULL,
    run               integer     NOT NULL,
    error_reason      text        NOT NULL,
    triggered_by      text        NOT NULL,
    triggered_by_user integer,
    created_at        timestamptz NOT NULL,
    started_at        timestamptz,
    completed_at      timestamptz,
    -- Of the event that ended it, in the log.
    completed_position bigint,
    -- Of the snapshot and of the answer, for filters and orders.
    scanner_version   integer,
    verdict           text,
    tags              text[],
    score             float8,
    -- Parts of the answer document. output: the structured part of the model's output; text_id: its private part.
    scanner_snapshot  json        NOT NULL,
    output            json,
    text_id           uuid,
    signals_count     integer,
    subject_id        uuid,
    model             text,
    input_tokens      bigint,
    output_tokens     bigint,
    cost_usd          numeric,
    duration_ms       bigint,
    evidence_digest   text,
    version           bigint      NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE UNIQUE INDEX observation_id ON observation (id);
CREATE INDEX observation_scanner ON observation (environment_id, scanner_id, created_at DESC, id);
CREATE INDEX observation_status ON observation (environment_id, scanner_id, status, created_at DESC, id);
CREATE INDEX observation_ended ON observation (environment_id, scanner_id, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX observation_session ON observation (environment_id, session_id, created_at DESC, id);

-- Scanners that are deleted: their rows are hidden at once and dropped later, in bounded chunks.
CREATE TABLE tombstone (
    scanner_id uuid PRIMARY KEY
);
CREATE TABLE cleanup (
    scanner_id uuid PRIMARY KEY
);
