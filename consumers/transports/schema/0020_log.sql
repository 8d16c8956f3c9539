-- The record log inside PostgreSQL (consumers/transports/postgres.py), the default transport.
--
-- Order. Offsets must become visible in increasing order within a partition, or a reader that has passed offset 9 never
-- sees an 8 that commits later. A snapshot horizon (tx < pg_snapshot_xmin) alone does not give that: a transaction with
-- a lower id may draw a higher offset than its neighbour (ids are drawn at the first write, offsets at each), commit
-- first, and be read past the neighbour's record. So a publisher locks the rows of the partitions that it writes to,
-- until its commit, before it draws offsets; the order of commits is the order of offsets and readers need no horizon.
-- A long transaction elsewhere in the database therefore delays nothing. Publishers to different partitions do not meet.

CREATE SCHEMA log;

CREATE TABLE log.topic (
    id         integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,55}$'),
    partitions integer     NOT NULL CHECK (partitions BETWEEN 1 AND 256),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN log.topic.name IS 'With the installation''s prefix. Also names a notification channel, hence 56 characters.';
COMMENT ON COLUMN log.topic.partitions IS 'Fixed: another number would move keys to other partitions and break their order.';

CREATE TABLE log.partition (
    topic_id integer NOT NULL REFERENCES log.topic,
    part     integer NOT NULL,
    PRIMARY KEY (topic_id, part)
);
COMMENT ON TABLE log.partition IS 'The lock that publishers take; its rows never change.';

CREATE TABLE log.record (
    topic_id  integer     NOT NULL,
    part      integer     NOT NULL,
    off       bigint      GENERATED ALWAYS AS IDENTITY,
    event_id  text        NOT NULL,
    source_id bigint,
    key       bytea,
    value     bytea       NOT NULL,
    headers   jsonb       NOT NULL,
    size      integer     NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic_id, part, off),
    -- In this order, so that a planner without statistics, as after a large import, cannot take it for reading a topic.
    UNIQUE (event_id, topic_id)
);
COMMENT ON COLUMN log.record.headers IS 'Name to value; values in the escape format of encode() and decode().';
-- Values are often compressed already; a second compression costs time and gains nothing.
ALTER TABLE log.record ALTER COLUMN value SET STORAGE EXTERNAL;
-- Rows come and go all day; the default waits for a fifth of the table.
ALTER TABLE log.record SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE TABLE log.position (
    grp            text        NOT NULL CHECK (grp ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    topic_id       integer     NOT NULL,
    part           integer     NOT NULL,
    off            bigint      NOT NULL DEFAULT 0,
    source_id      bigint,
    failures       integer     NOT NULL DEFAULT 0,
    resume_at      timestamptz,
    poison_run     integer     NOT NULL DEFAULT 0,
    recent_poison  integer     NOT NULL DEFAULT 0,
    recent_records integer     NOT NULL DEFAULT 0,
    stopped_at     timestamptz,
    last_error     text,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (grp, topic_id, part),
    FOREIGN KEY (topic_id, part) REFERENCES log.partition
) WITH (fillfactor = 50);
COMMENT ON TABLE log.position IS 'A worker holds the row of a partition FOR UPDATE while it handles a batch: the lease dies with its connection.';
COMMENT ON COLUMN log.position.off IS 'The last offset handled.';
COMMENT ON COLUMN log.position.source_id IS 'The highest source id seen: relayed records at or below it are repetitions.';
COMMENT ON COLUMN log.position.failures IS 'Handler errors in a row; resume_at says until when the partition rests.';
COMMENT ON COLUMN log.position.poison_run IS 'Dead letters in a row. recent_poison of recent_records is their share; both are halved now and then.';
COMMENT ON COLUMN log.position.stopped_at IS 'Set when dead letters pass a cap; only an operator clears it.';

CREATE TABLE log.dead_letter (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grp          text        NOT NULL,
    topic        text        NOT NULL,
    part         integer     NOT NULL,
    off          bigint      NOT NULL,
    key          bytea,
    value        bytea       NOT NULL,
    headers      jsonb       NOT NULL,
    published_at timestamptz NOT NULL,
    attempts     integer     NOT NULL,
    error_class  text        NOT NULL,
    error        text        NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (grp, topic, part, off)
);
COMMENT ON TABLE log.dead_letter IS 'Records that a group''s handler called poison, as they came. Not tied to log.record, which forgets.';

-- Makes a topic once; the number of partitions of an existing topic stays. Answers that number.
CREATE FUNCTION log.make_topic(wanted text, wanted_partitions integer, OUT id integer, OUT partitions integer)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO log.topic (name, partitions) VALUES (wanted, wanted_partitions) ON CONFLICT (name) DO NOTHING;
    SELECT t.id, t.partitions INTO STRICT id, partitions FROM log.topic t WHERE t.name = wanted;
    INSERT INTO log.partition (topic_id, part)
    SELECT make_topic.id, n FROM generate_series(0, make_topic.partitions - 1) n ON CONFLICT DO NOTHING;
END $$;

-- Stores records in the given order, one array per field (heads: JSON objects), and wakes the consumers once. Records whose event id the topic
-- has are left out. Answers how many were new. Times out on the partition locks rather than queue for ever.
CREATE FUNCTION log.publish(
    wanted text, parts integer[], event_ids text[], source_ids bigint[], keys bytea[], vals bytea[], heads text[]
) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    topic_key integer;
    locked    integer;
    fresh     integer;
BEGIN
    SELECT id INTO STRICT topic_key FROM log.topic WHERE name = wanted;
    -- In order of partition, so that publishers cannot deadlock.
    PERFORM FROM log.partition WHERE topic_id = topic_key AND part = ANY (parts) ORDER BY part FOR NO KEY UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    IF locked <> (SELECT count(DISTINCT part) FROM unnest(parts) part) THEN
        RAISE EXCEPTION 'topic % does not have all of the partitions %', wanted, parts;
    END IF;
    INSERT INTO log.record (topic_id, part, event_id, source_id, key, value, headers, size)
    SELECT topic_key, r.part, r.event_id, r.source_id, r.key, r.value, r.head::jsonb,
           coalesce(length(r.key), 0) + length(r.value) + octet_length(r.head)
    FROM unnest(parts, event_ids, source_ids, keys, vals, heads) WITH ORDINALITY
         AS r (part, event_id, source_id, key, value, head, n)
    ORDER BY r.n
    ON CONFLICT (event_id, topic_id) DO NOTHING;
    GET DIAGNOSTICS fresh = ROW_COUNT;
    IF fresh > 0 THEN
        PERFORM pg_notify('log.' || wanted, '');
    END IF;
    RETURN fresh;
END $$;
