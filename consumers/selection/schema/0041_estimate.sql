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
