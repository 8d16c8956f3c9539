-- Each batch keeps its own activity, so that a session's row does not grow with the session: what a new batch adds to the
-- active time is told by the batches near it in time. Null in batches stored before; theirs is in the session's state.
ALTER TABLE capture.part ADD COLUMN activity jsonb;

-- Recordings are read in order of time; the batches near another are those that end after and begin before.
CREATE INDEX part_first ON capture.part (environment_id, session_id, first_timestamp, arrival);
CREATE INDEX part_last ON capture.part (environment_id, session_id, last_timestamp, arrival);
DROP INDEX capture.part_arrival;
