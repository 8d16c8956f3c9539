-- Dead letters that an operator hands back to their group, and records that wait behind one of their key.

ALTER TABLE log.dead_letter
    ADD COLUMN transport text NOT NULL DEFAULT 'postgres' CHECK (transport IN ('postgres', 'kafka')),
    ADD COLUMN parked boolean NOT NULL DEFAULT false,
    ADD COLUMN replay_at timestamptz,
    ADD COLUMN replays integer NOT NULL DEFAULT 0,
    -- A letter is written once, as the position moves past it in the same transaction. Offsets begin again in a topic that is
    -- made anew, and a letter of the old one must not keep one of the new one out.
    DROP CONSTRAINT dead_letter_grp_topic_part_off_key;
COMMENT ON COLUMN log.dead_letter.parked IS 'Nothing is wrong with it: an earlier record of its key is a dead letter, and its group handles a key in order.';
COMMENT ON COLUMN log.dead_letter.replay_at IS 'Set by an operator: the group''s worker handles it again from then on, and deletes the row when that succeeds.';

-- A hash, because others may publish keys that are too long for a tree.
CREATE INDEX dead_letter_key ON log.dead_letter USING hash (key) WHERE key IS NOT NULL;
CREATE INDEX dead_letter_replay ON log.dead_letter (grp, topic, part) WHERE replay_at IS NOT NULL;
