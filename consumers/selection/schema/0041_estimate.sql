-- How many observations each scanner is expected to make a month, and what that was worked out from. Process state,
-- not history: it is shown and summed up, and never moves the version of a scanner.
CREATE TABLE selection.estimate (
    scanner_id      uuid        PRIMARY KEY,
    environment_id  integer     NOT NULL,
    organization_id uuid        NOT NULL,
    -- Null until a count has succeeded. The inputs are those of the scanner_version; a later version may have the same.
    monthly         bigint,
    query           json,
    sampling_rate   float8,
    scanner_version integer,
    estimated_at    timestamptz,
    -- When the background refresh last began to count; one that fails has its turn again after a while.
    attempted_at    timestamptz
);
CREATE INDEX estimate_environment ON selection.estimate (environment_id);

-- The sessions of an environment by the time they began, for the look-back of an estimate.
CREATE INDEX session_began ON capture.session (environment_id, first_timestamp);

-- Gaps of schedules that somebody has asked for after all, while they are worked through. Process state: a row goes
-- when its gap is done.
CREATE TABLE selection.redrive (
    gap_id          uuid        PRIMARY KEY,
    scanner_id      uuid        NOT NULL,
    environment_id  integer     NOT NULL,
    organization_id uuid        NOT NULL,
    -- Sessions of the gap that settled with this number or a lower one are done with; the gap ends with last_number.
    settle_number   bigint      NOT NULL,
    last_number     bigint      NOT NULL,
    requested_at    timestamptz NOT NULL
);
CREATE INDEX redrive_scanner ON selection.redrive (scanner_id);
