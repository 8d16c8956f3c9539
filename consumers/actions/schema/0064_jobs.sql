-- Jobs of actions: one row for each run to be done and for each round of a delivery, leased by workers
-- (consumers/actions/jobs.py). Process state, not history: what came of them is in the run's stream.

CREATE SCHEMA actions;

CREATE TABLE actions.job (
    run_id           uuid        NOT NULL,
    kind             text        NOT NULL CHECK (kind IN ('run', 'delivery')),
    delivery_id      uuid        NOT NULL,
    round            integer     NOT NULL CHECK (round >= 1),
    environment_id   integer     NOT NULL,
    organization_id  uuid        NOT NULL,
    position         bigint      NOT NULL,
    correlation_id   uuid        NOT NULL,
    state            text        NOT NULL DEFAULT 'queued' CHECK (state IN ('waiting', 'queued', 'leased', 'done')),
    try_number       integer     NOT NULL DEFAULT 0,
    failures         integer     NOT NULL DEFAULT 0,
    expiries         integer     NOT NULL DEFAULT 0,
    available_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_token      uuid,
    lease_expires_at timestamptz,
    leased_by        text,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at          timestamptz,
    PRIMARY KEY (run_id, delivery_id, round),
    CHECK ((kind = 'run') = (delivery_id = run_id)),
    CHECK ((state = 'leased') = (lease_token IS NOT NULL AND lease_expires_at IS NOT NULL)),
    CHECK ((state = 'done') = (done_at IS NOT NULL))
) WITH (fillfactor = 80);
COMMENT ON COLUMN actions.job.state IS 'waiting: a delivery whose run has no report yet.';
COMMENT ON COLUMN actions.job.delivery_id IS 'The run''s own id for its work.';
COMMENT ON COLUMN actions.job.position IS 'The log position of the event that made the job: projections must have passed it.';
COMMENT ON COLUMN actions.job.try_number IS 'Leases so far; a lease that ran out counts, one that was given back unused does not.';
COMMENT ON COLUMN actions.job.failures IS 'Tries that failed by themselves and were repeated.';

CREATE INDEX job_queued ON actions.job (kind, available_at) WHERE state = 'queued';
CREATE INDEX job_leased_environment ON actions.job (kind, environment_id) WHERE state = 'leased';
CREATE INDEX job_leased_until ON actions.job (lease_expires_at) WHERE state = 'leased';
CREATE INDEX job_done ON actions.job (done_at) WHERE state = 'done';

-- What engine 9 counts of actions, ever: occurrences that were missed and have one run between them, and runs whose
-- workers died.
CREATE TABLE actions.counted (
    name  text   PRIMARY KEY,
    count bigint NOT NULL
);
