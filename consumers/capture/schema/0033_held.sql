-- Messages that are too large for the transport: the bytes lie in a blob and a short message names it
-- (consumers/capture/held.py). A row is there before its blob, so whatever ends a request half-way leaves no blob that
-- nobody finds.
CREATE TABLE capture.held (
    blob           text        PRIMARY KEY,
    environment_id integer     NOT NULL,
    session_id     text        NOT NULL,
    -- The batch: when its part is stored, the blob is not needed any more.
    uuid           uuid        NOT NULL,
    bytes          bigint      NOT NULL,
    at             timestamptz NOT NULL
);
CREATE INDEX held_environment ON capture.held (environment_id);
CREATE INDEX held_at ON capture.held (at);
