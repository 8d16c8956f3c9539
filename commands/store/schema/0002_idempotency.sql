-- Requests that came with an Idempotency-Key. The row is written in the transaction of the append that the request led
-- to, so that the append happens once; the answer follows when it is known, once, and is then never changed.

CREATE TABLE store.idempotency (
    environment_id integer     NOT NULL,
    owner          bigint      NOT NULL, -- the user whose API key it was
    route          text        NOT NULL, -- operation and object, not the address as it was written
    key            text        NOT NULL,
    digest         bytea       NOT NULL,
    request        uuid        NOT NULL, -- which request it was that did the work
    kept_until     timestamptz NOT NULL,
    stream         uuid,                 -- what was appended last: the state to answer from when the answer was lost
    version        bigint,
    outcomes       jsonb,                -- of a bulk append: [stream, position, refusal] for each group
    status         smallint,
    headers        jsonb,
    body           bytea,
    PRIMARY KEY (environment_id, owner, route, key)
);
CREATE INDEX idempotency_kept_until ON store.idempotency (kept_until);

-- Refuses with `repeated` when the key was used within the time that it is kept, by whatever request.
CREATE FUNCTION store.remember(o jsonb, last_stream uuid, last_version bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO store.idempotency AS i
        (environment_id, owner, route, key, digest, request, kept_until, stream, version)
    VALUES ((o->>'environment_id')::integer, (o->>'owner')::bigint, o->>'route', o->>'key',
            decode(o->>'digest', 'hex'), (o->>'request')::uuid, (o->>'kept_until')::timestamptz,
            last_stream, last_version)
    ON CONFLICT (environment_id, owner, route, key) DO UPDATE
        SET digest = excluded.digest, request = excluded.request, kept_until = excluded.kept_until,
            stream = excluded.stream, version = excluded.version, outcomes = NULL,
            status = NULL, headers = NULL, body = NULL
        WHERE i.kept_until <= (o->>'at')::timestamptz;
    IF NOT FOUND THEN PERFORM store.refuse('repeated'); END IF;
END $$;

-- As store.append, for a request with a key. The row comes first, so that a repeat is refused as one and not because
-- of what the first request did (a name that is taken, a stream that has moved on).
CREATE FUNCTION store.append_once(ids uuid[], versions bigint[], topics text[], states bytea[], guards jsonb, o jsonb)
RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7301880512);
    PERFORM store.remember(o, ids[array_upper(ids, 1)], versions[array_upper(versions, 1)]);
    RETURN QUERY SELECT * FROM store.append(ids, versions, topics, states, guards);
END $$;

-- As store.append_groups, for a request with a key. What became of each group is kept, or nothing at all when every
-- group was refused: then nothing has happened that must not happen twice.
CREATE FUNCTION store.append_groups_once(ids uuid[], versions bigint[], topics text[], states bytea[], ends integer[],
                                         guards jsonb[], o jsonb)
RETURNS TABLE (group_number integer, at bigint, refusal text) LANGUAGE plpgsql AS $$
DECLARE
    kept  jsonb := '[]';
    added boolean := false;
BEGIN
    PERFORM pg_advisory_xact_lock(7301880512);
    PERFORM store.remember(o, NULL, NULL);
    FOR group_number, at, refusal IN
        SELECT a.group_number, a.at, a.refusal FROM store.append_groups(ids, versions, topics, states, ends, guards) a
    LOOP
        kept := kept || jsonb_build_array(jsonb_build_array(ids[ends[group_number]], at, refusal));
        added := added OR at IS NOT NULL;
        RETURN NEXT;
    END LOOP;
    IF added THEN
        UPDATE store.idempotency i SET outcomes = kept
        WHERE i.environment_id = (o->>'environment_id')::integer AND i.owner = (o->>'owner')::bigint
          AND i.route = o->>'route' AND i.key = o->>'key';
    ELSE
        DELETE FROM store.idempotency i
        WHERE i.environment_id = (o->>'environment_id')::integer AND i.owner = (o->>'owner')::bigint
          AND i.route = o->>'route' AND i.key = o->>'key';
    END IF;
END $$;
