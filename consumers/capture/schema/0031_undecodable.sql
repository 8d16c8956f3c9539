-- What a stranger can make us keep is bounded: capture.undecodable holds so many rows and bytes an environment and for
-- so long (consumers/capture/undecodable.py); everything that was ever seen is counted here.
-- Messages that are no recording are no dead letters of the transport any more.

CREATE TABLE capture.undecodable_count (
    topic    text    NOT NULL,
    part     integer NOT NULL,
    code     text    NOT NULL,
    seen     bigint  NOT NULL,
    -- The last one counted: what a group that starts over meets again is not counted twice.
    position bigint  NOT NULL,
    -- A row a partition and reason, so that partitions never wait for each other's counts.
    PRIMARY KEY (topic, part, code)
);

INSERT INTO capture.undecodable_count (topic, part, code, seen, position)
SELECT topic, part, code, count(*), max(position) FROM capture.undecodable GROUP BY topic, part, code;

-- 0 is nobody's: messages that name no environment. They have a limit too.
UPDATE capture.undecodable SET environment_id = 0 WHERE environment_id IS NULL;
ALTER TABLE capture.undecodable ALTER COLUMN environment_id SET NOT NULL;

CREATE INDEX undecodable_environment ON capture.undecodable (environment_id, id);
