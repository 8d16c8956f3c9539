-- Who changed what, when, from which value to which: one row an event (extensions, Audit). Never private text.
CREATE TABLE entry (
    -- Null for events about an organization, its users and keys.
    environment_id  integer,
    position        bigint      PRIMARY KEY,
    organization_id uuid,
    type            text        NOT NULL,
    stream_type     text        NOT NULL,
    stream_id       uuid        NOT NULL,
    version         bigint      NOT NULL,
    recorded_at     timestamptz NOT NULL,
    actor_type      text        NOT NULL,
    user_id         integer,
    key_prefix      text,
    role            text,
    -- [{"field", "before", "after"}]
    changes         json        NOT NULL,
    correlation_id  uuid        NOT NULL,
    causation_id    text
);
CREATE INDEX entry_environment ON entry (environment_id, position);
CREATE INDEX entry_stream ON entry (stream_id, position);

-- The fields of each stream as they stand, for `before`.
CREATE TABLE stream (
    id     uuid PRIMARY KEY,
    type   text NOT NULL,
    fields json NOT NULL
);
