-- Which transport this installation runs on, so that a change of settings leaves nothing behind unnoticed
-- (consumers/transports/installation.py), and who holds a partition.

CREATE TABLE log.installation (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    id        uuid,
    transport text CHECK (transport IN ('postgres', 'kafka')),
    prefix    text
);
INSERT INTO log.installation DEFAULT VALUES;
COMMENT ON COLUMN log.installation.id IS 'Drawn when it is first needed, not here: copies of a migrated template must not share it. Also in the first record of the topic "installation" on the brokers.';
COMMENT ON COLUMN log.installation.transport IS 'As the processes that started last were told; null before the first start.';
COMMENT ON COLUMN log.installation.prefix IS 'Of the topics of that transport.';

ALTER TABLE log.position ADD COLUMN holder uuid;
COMMENT ON COLUMN log.position.holder IS 'The worker that claimed the partition last (Kafka): one that is busy with another of its partitions moves none of the rest meanwhile.';
