-- Where each projection stands. Its own tables live in schema read_<name>, made by the engine and not by migrations.
CREATE SCHEMA projection;

CREATE TABLE projection.position (
    name        text        NOT NULL,
    -- A rebuild makes the next generation beside the live one, in schema read_<name>_next, and swaps the two.
    generation  integer     NOT NULL,
    live        boolean     NOT NULL,
    -- Everything in the log up to here is in the tables, or parked.
    position    bigint      NOT NULL DEFAULT 0,
    -- How many streams are parked; changed under this row's lock, so a batch that moves the position reads it truly.
    parked      integer     NOT NULL DEFAULT 0,
    -- Digest of the SQL that made the tables.
    tables      text        NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, generation)
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);
CREATE UNIQUE INDEX position_live ON projection.position (name) WHERE live;

-- A stream that a projection cannot take in: this event and all later ones of the stream wait for a replay.
CREATE TABLE projection.parked (
    name          text        NOT NULL,
    generation    integer     NOT NULL,
    stream_id     uuid        NOT NULL,
    from_position bigint      NOT NULL,
    error         text        NOT NULL,
    parked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, generation, stream_id),
    FOREIGN KEY (name, generation) REFERENCES projection.position ON DELETE CASCADE
);
