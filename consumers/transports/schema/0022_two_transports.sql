-- Kafka beside the PostgreSQL log: groups keep their positions in PostgreSQL with either (consumers/transports/port.py),
-- so that a position moves in the handler's own transaction. A topic's name belongs to one transport.

ALTER TABLE log.topic
    ADD COLUMN transport text NOT NULL DEFAULT 'postgres' CHECK (transport IN ('postgres', 'kafka')),
    ADD COLUMN broker_id uuid,
    DROP CONSTRAINT topic_name_key,
    ADD UNIQUE (transport, name);
COMMENT ON COLUMN log.topic.partitions IS 'Fixed: another number would move keys to other partitions and break their order. With Kafka, what the topic had when it was first seen; partitions that were added since are read and not written.';
COMMENT ON COLUMN log.topic.broker_id IS 'Kafka''s own id of the topic: another means that it was made anew, and that positions in the old one say nothing.';

ALTER TABLE log.position ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN log.position.off IS 'The last offset handled. With Kafka -2 until the oldest record''s offset is known.';
COMMENT ON COLUMN log.position.epoch IS 'Counts the workers that took the partition (Kafka): one with an older number may not move the position.';

-- Event ids that a group has handled from Kafka, which itself keeps every repetition. Records with a source id are not here:
-- the position remembers the highest.
CREATE TABLE log.seen (
    grp      text        NOT NULL,
    topic_id integer     NOT NULL REFERENCES log.topic,
    id       uuid        NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (grp, topic_id, id)
);
COMMENT ON COLUMN log.seen.id IS 'The first 16 bytes of the event id''s BLAKE2b digest.';
CREATE INDEX seen_at ON log.seen (at);
-- Rows come and go all day; the default waits for a fifth of the table.
ALTER TABLE log.seen SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);

DROP FUNCTION log.make_topic(text, integer);

-- Makes a topic once; the number of partitions of an existing topic stays. Answers that number.
CREATE FUNCTION log.make_topic(
    wanted text, wanted_partitions integer, wanted_transport text DEFAULT 'postgres', OUT id integer, OUT partitions integer
)
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO log.topic (transport, name, partitions) VALUES (wanted_transport, wanted, wanted_partitions)
    ON CONFLICT (transport, name) DO NOTHING;
    SELECT t.id, t.partitions INTO STRICT id, partitions
    FROM log.topic t WHERE t.transport = wanted_transport AND t.name = wanted;
    INSERT INTO log.partition (topic_id, part)
    SELECT make_topic.id, n FROM generate_series(0, make_topic.partitions - 1) n ON CONFLICT DO NOTHING;
END $$;

-- As in 0020, for the topics of this transport.
CREATE OR REPLACE FUNCTION log.publish(
    wanted text, parts integer[], event_ids text[], source_ids bigint[], keys bytea[], vals bytea[], heads text[]
) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    topic_key integer;
    locked    integer;
    fresh     integer;
BEGIN
    SELECT id INTO STRICT topic_key FROM log.topic WHERE transport = 'postgres' AND name = wanted;
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
