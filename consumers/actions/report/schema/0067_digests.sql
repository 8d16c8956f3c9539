-- Notes on chunks of a run's observations, kept while the run may be tried again (ADR 27).
CREATE SCHEMA reports;

CREATE TABLE reports.digest (
    environment_id integer     NOT NULL,
    run_id         uuid        NOT NULL,
    -- SHA-256 of who was asked what about which observations (consumers/actions/report/synthesis.py).
    key            bytea       NOT NULL CHECK (octet_length(key) = 32),
    -- Under the installation's secret: it may quote recorded people.
    sealed         text        NOT NULL,
    made_at        timestamptz NOT NULL,
    PRIMARY KEY (environment_id, run_id, key)
);
CREATE INDEX digest_made ON reports.digest (made_at);
