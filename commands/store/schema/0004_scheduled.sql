-- Scans that the schedule has asked for on the present day (UTC), a row an environment. None is given back: what failed may
-- have cost money, and this is what bounds the cost of recordings that a stranger sends in.
CREATE TABLE store.scheduled (
    environment_id integer PRIMARY KEY,
    day            date    NOT NULL,
    count          bigint  NOT NULL CHECK (count >= 0)
);

-- One statement: begin a day, or add only where the result stays within the limit. A clock that is behind counts for the
-- day that others have begun.
CREATE FUNCTION store.count_scheduled(g jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    most bigint := (g->>'most')::bigint;
BEGIN
    INSERT INTO store.scheduled AS s (environment_id, day, count)
    SELECT (g->>'environment_id')::integer, (g->>'day')::date, 1 WHERE most >= 1
    ON CONFLICT (environment_id) DO UPDATE
    SET day = greatest(s.day, excluded.day), count = CASE WHEN s.day < excluded.day THEN 1 ELSE s.count + 1 END
    WHERE s.day < excluded.day OR s.count + 1 <= most;
    IF NOT FOUND THEN PERFORM store.refuse('day_full'); END IF;
END $$;

-- With `scheduled`.
CREATE OR REPLACE FUNCTION store.apply_guards(guards jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    g jsonb;
BEGIN
    FOR g IN SELECT value FROM jsonb_array_elements(guards) LOOP
        CASE g->>'op'
        WHEN 'absent' THEN
            PERFORM FROM store.events e WHERE e.originator_id = (g->>'stream')::uuid;
            IF FOUND THEN PERFORM store.refuse('exists'); END IF;
        WHEN 'claim' THEN
            INSERT INTO store.claim (scope, key, owner) VALUES (g->>'scope', g->>'key', (g->>'owner')::uuid)
            ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN PERFORM store.refuse('taken:' || (g->>'scope')); END IF;
        WHEN 'release' THEN
            DELETE FROM store.claim c
            WHERE c.scope = g->>'scope' AND c.key = g->>'key' AND c.owner = (g->>'owner')::uuid;
        WHEN 'require' THEN
            PERFORM FROM store.claim c WHERE c.scope = g->>'scope' AND c.key = g->>'key';
            IF NOT FOUND THEN PERFORM store.refuse('missing:' || (g->>'scope')); END IF;
        WHEN 'reserve' THEN PERFORM store.reserve(g);
        WHEN 'scheduled' THEN PERFORM store.count_scheduled(g);
        WHEN 'settle' THEN PERFORM store.settle(g);
        WHEN 'release_scanner' THEN PERFORM store.release_scanner((g->>'scanner_id')::uuid);
        WHEN 'set_quota' THEN
            INSERT INTO store.quota_limit (organization_id, monthly_quota)
            VALUES ((g->>'organization_id')::uuid, (g->>'monthly_quota')::bigint)
            ON CONFLICT (organization_id) DO UPDATE SET monthly_quota = excluded.monthly_quota;
        WHEN 'grant_quota' THEN
            INSERT INTO store.quota_grant (organization_id, amount, expires_at)
            VALUES ((g->>'organization_id')::uuid, (g->>'amount')::bigint, (g->>'expires_at')::timestamptz);
        WHEN 'text' THEN
            INSERT INTO store.private_text (id, environment_id, subject, salt, body)
            VALUES ((g->>'id')::uuid, (g->>'environment_id')::integer, g->>'subject',
                    decode(g->>'salt', 'hex'), g->'body');
        WHEN 'at_most' THEN
            IF (SELECT count(*) FROM store.claim c WHERE c.scope = g->>'scope') > (g->>'most')::bigint
            THEN PERFORM store.refuse('full:' || (g->>'scope')); END IF;
        WHEN 'erase' THEN DELETE FROM store.private_text t WHERE t.id = (g->>'id')::uuid;
        ELSE RAISE EXCEPTION 'unknown guard %', g->>'op';
        END CASE;
    END LOOP;
END $$;
