-- The scanners of an environment, in the words of contract 3.1. A deleted scanner stays as a tombstone.
CREATE TABLE scanner (
    environment_id  integer     NOT NULL,
    id              uuid        NOT NULL,
    organization_id uuid        NOT NULL,
    name            text        NOT NULL,
    description     text        NOT NULL,
    scanner_type    text        NOT NULL,
    -- json, not jsonb: answered exactly as they came, key order and form of numbers included.
    scanner_config  json        NOT NULL,
    query           json        NOT NULL,
    sampling_rate   float8      NOT NULL,
    provider        text        NOT NULL,
    model           text        NOT NULL,
    enabled         boolean     NOT NULL,
    emits_signals   boolean     NOT NULL,
    scanner_version integer     NOT NULL,
    created_by      integer,
    created_at      timestamptz NOT NULL,
    -- Creation or the last time it was switched on: where its schedule begins.
    enabled_at      timestamptz NOT NULL,
    -- Null while it is enabled.
    disabled_at     timestamptz,
    -- When the present value was given: since when it may keep a scanner from producing anything.
    query_at        timestamptz NOT NULL,
    sampling_rate_at timestamptz NOT NULL,
    provider_at     timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deleted_at      timestamptz,
    -- Version of the stream, for ETag and If-Match.
    version         bigint      NOT NULL,
    -- Name, description and prompt, case-folded; what a search looks in.
    search_text     text        NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE UNIQUE INDEX scanner_id ON scanner (id);
CREATE INDEX scanner_organization ON scanner (organization_id) WHERE deleted_at IS NULL AND enabled;

-- Settle numbers, both ends included, that a scanner's schedule passed over, and when they were asked for after all.
-- They go with their scanner.
CREATE TABLE gap (
    environment_id integer     NOT NULL,
    id             uuid        NOT NULL,
    scanner_id     uuid        NOT NULL,
    first_number   bigint      NOT NULL,
    last_number    bigint      NOT NULL,
    reason         text        NOT NULL,
    skipped_at     timestamptz NOT NULL,
    redriven_at    timestamptz,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX gap_id ON gap (id);
CREATE INDEX gap_scanner ON gap (scanner_id, first_number);
