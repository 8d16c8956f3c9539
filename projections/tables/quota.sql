-- What each organization may use and has used, by UTC calendar month (contract 7). store.quota_usage is the enforcing
-- twin: its `used` equals requested - refunded.
CREATE TABLE usage (
    organization_id uuid   NOT NULL,
    period          text   NOT NULL,
    requested       bigint NOT NULL,
    refunded        bigint NOT NULL,
    PRIMARY KEY (organization_id, period)
);
-- Observations that are in flight or may be retried, and the period that a refund goes to.
CREATE TABLE charge (
    observation_id  uuid    PRIMARY KEY,
    organization_id uuid    NOT NULL,
    environment_id  integer NOT NULL,
    scanner_id      uuid    NOT NULL,
    period          text    NOT NULL,
    in_flight       boolean NOT NULL
);
CREATE INDEX charge_scanner ON charge (scanner_id);
-- Deleted scanners: nothing of theirs is in flight any more.
CREATE TABLE gone (
    scanner_id uuid PRIMARY KEY
);
-- monthly_quota null: the configured default.
CREATE TABLE allowance (
    organization_id uuid PRIMARY KEY,
    monthly_quota   bigint
);
CREATE TABLE bonus (
    organization_id uuid        NOT NULL,
    position        bigint      NOT NULL,
    amount          bigint      NOT NULL,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (organization_id, position)
);
