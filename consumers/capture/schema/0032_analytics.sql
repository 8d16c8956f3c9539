-- What a site's own analytics and console tell about recorded sessions, who the visitors are, and what each
-- environment has taken in. State of the capture consumers; everybody else reads it through projections/queries.

-- Analytics events that name a session, whether or not it has a recording (yet).
CREATE TABLE capture.analytics_event (
    environment_id integer     NOT NULL,
    session_id     text        NOT NULL CHECK (char_length(session_id) BETWEEN 1 AND 128),
    uuid           uuid        NOT NULL,
    name           text        NOT NULL,
    -- By the visitor's clock, milliseconds since 1970.
    at             bigint      NOT NULL,
    window_id      text,
    distinct_id    text,
    current_url    text,
    -- As sent, less what is too large, what has a column here, and what an SDK sends as its own bookkeeping
    -- (consumers/capture/analytics/bounds.py).
    properties     jsonb       NOT NULL,
    -- $elements_chain as a list, innermost first: {tag_name, text, href, attr_id, attr_class: [..], nth_child,
    -- nth_of_type, attributes: {"attr__data-x": ..}}; what an element does not have is left out.
    elements       jsonb,
    received_at    timestamptz NOT NULL,
    arrived_at     timestamptz NOT NULL,
    PRIMARY KEY (environment_id, session_id, uuid)
);
CREATE INDEX analytics_event_name ON capture.analytics_event (environment_id, session_id, name);
CREATE INDEX analytics_event_at ON capture.analytics_event (environment_id, session_id, at, uuid);

-- What was not kept of analytics events, by reason: counted only.
CREATE TABLE capture.analytics_left_out (
    environment_id integer NOT NULL,
    reason         text    NOT NULL,
    seen           bigint  NOT NULL,
    PRIMARY KEY (environment_id, reason)
);

-- Lines of a page's console, out of the recording itself. `level` is info, warn or error, as the counts of the session.
CREATE TABLE capture.console_line (
    environment_id integer NOT NULL,
    session_id     text    NOT NULL,
    part           uuid    NOT NULL,
    place          integer NOT NULL,
    at             bigint  NOT NULL,
    level          text    NOT NULL CHECK (level IN ('info', 'warn', 'error')),
    message        text    NOT NULL,
    PRIMARY KEY (environment_id, session_id, part, place),
    FOREIGN KEY (environment_id, session_id) REFERENCES capture.session ON DELETE CASCADE
);

-- Visitors. Everything that a site said about one distinct id, mergeable in any order; a person is the distinct ids
-- that were said to be one. Only visitors of whom something was said, and those whose id is an e-mail address.
CREATE TABLE capture.visitor (
    environment_id integer NOT NULL,
    distinct_id    text    NOT NULL CHECK (char_length(distinct_id) BETWEEN 1 AND 200),
    person_id      uuid    NOT NULL,
    -- consumers/capture/analytics/said.py, Said.to_state
    said           jsonb   NOT NULL
        DEFAULT '{"set": {}, "set_once": {}, "unset": {}, "joined": null, "identified": null}',
    -- When a site last said something about the visitor, to a day.
    seen_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment_id, distinct_id)
);
CREATE INDEX visitor_person ON capture.visitor (environment_id, person_id);

-- Which visitors are the same: `one` was joined to `other`. `dangerous`: whatever else is known of them.
CREATE TABLE capture.visitor_edge (
    environment_id integer NOT NULL,
    one            text    NOT NULL,
    other          text    NOT NULL,
    dangerous      boolean NOT NULL,
    PRIMARY KEY (environment_id, one, other, dangerous),
    FOREIGN KEY (environment_id, one) REFERENCES capture.visitor ON DELETE CASCADE,
    FOREIGN KEY (environment_id, other) REFERENCES capture.visitor ON DELETE CASCADE
);
CREATE INDEX visitor_edge_back ON capture.visitor_edge (environment_id, other, one);

-- The same, worked out: one row a person.
CREATE TABLE capture.person (
    environment_id integer NOT NULL,
    person_id      uuid    NOT NULL,
    properties     jsonb   NOT NULL,
    email          text,
    PRIMARY KEY (environment_id, person_id)
);

-- What an environment has taken in on a day (UTC, by our clock), for the limits of its project token.
CREATE TABLE capture.day (
    environment_id integer NOT NULL,
    day            date    NOT NULL,
    bytes          bigint  NOT NULL DEFAULT 0,
    -- With a recording. One that its events name first counts in event_sessions, and here too when it is recorded.
    sessions       bigint  NOT NULL DEFAULT 0,
    events         bigint  NOT NULL DEFAULT 0,
    event_sessions bigint  NOT NULL DEFAULT 0,
    visitors       bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (environment_id, day)
);
