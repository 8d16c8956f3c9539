-- Which transport this installation runs on, so that a change of settings leaves nothing behind unnoticed
-- (consumers/transports/installation.py), and who holds a partition.

CREATE TABLE log.installation (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    id          uuid,
    transport   text CHECK (transport IN ('postgres', 'kafka')),
    prefix      text,
    quiet_until timestamptz
);
INSERT INTO log.installation DEFAULT VALUES;
COMMENT ON COLUMN log.installation.id IS 'Drawn when it is first needed, not here: copies of a migrated template must not share it. Also in the first record of the topic "installation" on the brokers.';
COMMENT ON COLUMN log.installation.transport IS 'As the processes that started last were told; null before the first start.';
COMMENT ON COLUMN log.installation.prefix IS 'Of the topics of that transport.';
COMMENT ON COLUMN log.installation.quiet_until IS 'Nobody publishes to Kafka until then: what waits there is handled before the log takes over. Moved on while somebody waits.';

ALTER TABLE log.position ADD COLUMN holder uuid;
COMMENT ON COLUMN log.position.holder IS 'The worker that claimed the partition last (Kafka): one that is busy with another of its partitions moves none of the rest meanwhile.';

-- The letters of a key in order, for keys of any length.
DROP INDEX log.dead_letter_key;
DROP INDEX log.dead_letter_replay;
ALTER TABLE log.dead_letter ADD COLUMN key_digest bytea GENERATED ALWAYS AS (sha256(key)) STORED;
CREATE INDEX dead_letter_key ON log.dead_letter (transport, grp, topic, key_digest, id) WHERE key_digest IS NOT NULL;
CREATE INDEX dead_letter_replay ON log.dead_letter (transport, grp, topic, part, id) WHERE replay_at IS NOT NULL;

ALTER TABLE log.topic ADD COLUMN prefix text;
COMMENT ON COLUMN log.topic.prefix IS 'The part of the name that is the prefix (Kafka): one prefix may be the beginning of another.';

-- As in 0022, and refused once the installation has left the log: nobody would handle the records. Who changes the
-- transport waits for publishers that were here before, by the lock.
CREATE OR REPLACE FUNCTION log.publish(
    wanted text, parts integer[], event_ids text[], source_ids bigint[], keys bytea[], vals bytea[], heads text[]
) RETURNS integer
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    topic_key integer;
    locked    integer;
    fresh     integer;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('log.installation'));
    IF EXISTS (SELECT FROM log.installation WHERE transport = 'kafka') THEN
        RAISE EXCEPTION 'this installation runs on Kafka now' USING ERRCODE = 'cannot_connect_now';
    END IF;
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
