-- Scan jobs: one row for each run of an observation, leased by workers (consumers/scanning/jobs.py).
-- Process state, not history: what a run came to is in its observation's stream.

CREATE SCHEMA scanning;

CREATE TABLE scanning.job (
    observation_id   uuid        NOT NULL,
    run              integer     NOT NULL CHECK (run >= 1),
    environment_id   integer     NOT NULL,
    organization_id  uuid        NOT NULL,
    scanner_id       uuid        NOT NULL,
    session_id       text        NOT NULL,
    trigger          text        NOT NULL,
    correlation_id   uuid        NOT NULL,
    priority         smallint    NOT NULL GENERATED ALWAYS AS (CASE WHEN trigger = 'on_demand' THEN 0 ELSE 1 END) STORED,
    state            text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'leased', 'done')),
    try_number       integer     NOT NULL DEFAULT 0,
    expiries         integer     NOT NULL DEFAULT 0,
    available_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_token      uuid,
    lease_expires_at timestamptz,
    leased_by        text,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at          timestamptz,
    PRIMARY KEY (observation_id, run),
    CHECK ((state = 'leased') = (lease_token IS NOT NULL AND lease_expires_at IS NOT NULL)),
    CHECK ((state = 'done') = (done_at IS NOT NULL))
) WITH (fillfactor = 80);
COMMENT ON COLUMN scanning.job.try_number IS 'Leases so far; a lease that ran out counts.';
COMMENT ON COLUMN scanning.job.lease_token IS 'Every change of a leased job must name it, so a worker that lost its lease changes nothing.';

CREATE INDEX job_queued ON scanning.job (priority, available_at) WHERE state = 'queued';
CREATE INDEX job_leased_scanner ON scanning.job (scanner_id) WHERE state = 'leased';
CREATE INDEX job_leased_until ON scanning.job (lease_expires_at) WHERE state = 'leased';
CREATE INDEX job_done ON scanning.job (done_at) WHERE state = 'done';
