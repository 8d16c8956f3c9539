-- Recorded sessions that were deleted, for good. What the capture consumer knows of sessions is its own state.
CREATE TABLE deleted_session (
    environment_id integer     NOT NULL,
    session_id     text        NOT NULL,
    deleted_at     timestamptz NOT NULL,
    PRIMARY KEY (environment_id, session_id)
);
