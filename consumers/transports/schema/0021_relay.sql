-- How far each relay has copied its source log; moved by compare-and-set (consumers/relay.py).
CREATE TABLE log.relay_checkpoint (
    name       text        PRIMARY KEY,
    position   bigint      NOT NULL CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
