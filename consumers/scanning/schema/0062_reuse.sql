-- What scans leave for later ones and for readers: answers that were paid for, and the evidence they rest on (ADR 25).
-- Both belong to a recorded session and end with its row, by retention or deletion, in the same transaction. The key also
-- refuses what a slow worker brings for a session that is gone.

CREATE TABLE scanning.answer (
    environment_id integer     NOT NULL,
    -- SHA-256 of who was asked what about which evidence (consumers/scanning/answers.py).
    key            bytea       NOT NULL CHECK (octet_length(key) = 32),
    session_id     text        NOT NULL,
    -- Whom erasing must find it by, as in store.private_text.
    subject        text,
    -- Under the installation's secret: it may quote a recorded person.
    sealed         text        NOT NULL,
    made_at        timestamptz NOT NULL,
    PRIMARY KEY (environment_id, key),
    FOREIGN KEY (environment_id, session_id) REFERENCES capture.session ON DELETE CASCADE
);
CREATE INDEX answer_session ON scanning.answer (environment_id, session_id);
CREATE INDEX answer_subject ON scanning.answer (environment_id, subject);
CREATE INDEX answer_newest ON scanning.answer (environment_id, made_at);
CREATE INDEX answer_made ON scanning.answer (made_at);

-- How often a model had to be asked and how often not, ever.
CREATE TABLE scanning.answer_use (
    outcome text   PRIMARY KEY,
    number  bigint NOT NULL
);

CREATE TABLE scanning.evidence (
    environment_id integer     NOT NULL,
    session_id     text        NOT NULL,
    -- SHA-256 of the text, in hexadecimal digits, as ObservationSucceeded has it.
    digest         text        NOT NULL,
    blob           text        NOT NULL,
    kept_at        timestamptz NOT NULL,
    PRIMARY KEY (environment_id, session_id, digest),
    FOREIGN KEY (environment_id, session_id) REFERENCES capture.session ON DELETE CASCADE
);
CREATE INDEX evidence_blob ON scanning.evidence USING hash (blob);
