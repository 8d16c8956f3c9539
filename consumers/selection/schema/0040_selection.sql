-- How far the schedule of each scanner has come. Process state, not history.
CREATE SCHEMA selection;

CREATE TABLE selection.watermark (
    scanner_id      uuid        PRIMARY KEY,
    environment_id  integer     NOT NULL,
    organization_id uuid        NOT NULL,
    enabled         boolean     NOT NULL,
    -- Sessions that settled with this number or a lower one are behind the scanner.
    settle_number   bigint      NOT NULL,
    -- The time that the watermark has passed, less the settle interval: what the API shows as last_swept_at.
    swept_at        timestamptz NOT NULL,
    -- Why the watermark stands still: quota_exhausted or in_flight_cap; null while it moves.
    waiting_for     text,
    waiting_since   timestamptz,
    -- Position in the event log of what made this row; an older event never overrides a newer one.
    as_of           bigint      NOT NULL
);
CREATE INDEX watermark_environment ON selection.watermark (environment_id);
