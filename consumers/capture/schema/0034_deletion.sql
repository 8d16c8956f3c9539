-- What becomes of recorded sessions at their end: deletion by somebody, and retention.

-- Sessions that were deleted, as capture has heard of them: it takes nothing in for these any more, however late it
-- comes and however often it is replayed, so a row stays for good.
CREATE TABLE capture.deleted_session (
    environment_id integer     NOT NULL,
    session_id     text        NOT NULL,
    deleted_at     timestamptz NOT NULL,
    -- Null while something of the session may be left.
    erased_at      timestamptz,
    -- Batches that came after the deletion.
    dropped        bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (environment_id, session_id)
);
CREATE INDEX deleted_session_due ON capture.deleted_session (deleted_at) WHERE erased_at IS NULL;

-- Days after their last receipt for which sessions are kept where the environment has no number of its own: the setting
-- of the processes that capture, so that everybody who reads goes by the same.
CREATE TABLE capture.retention (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    days   integer NOT NULL CHECK (days > 0)
);
INSERT INTO capture.retention (days) VALUES (30);

-- How many rows and blobs retention and deletion have removed, ever.
CREATE TABLE capture.removed (
    what   text   PRIMARY KEY,
    number bigint NOT NULL
);

-- How far each environment's blobs were looked through for those that nothing names.
CREATE TABLE capture.leftover_search (
    environment_id integer PRIMARY KEY,
    after          text        NOT NULL,
    began_at       timestamptz NOT NULL
);

CREATE INDEX session_received ON capture.session (environment_id, last_received_at) WHERE settle_number IS NOT NULL;
CREATE INDEX settlement_settled ON capture.settlement (environment_id, settled_at);
CREATE INDEX part_blob ON capture.part USING hash (blob);
CREATE INDEX analytics_event_arrived ON capture.analytics_event (environment_id, arrived_at);

-- When a site last said something about a visitor.
ALTER TABLE capture.visitor ADD COLUMN IF NOT EXISTS seen_at timestamptz NOT NULL DEFAULT now();
