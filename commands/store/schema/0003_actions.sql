-- Numbers of integrations; see environment_number.
CREATE SEQUENCE store.integration_number AS integer;

-- Deleting a scanner releases its work in flight and keeps the charge of what succeeded. Its actions end in the same
-- append; one that was bound to it a moment ago makes the caller look again.
CREATE OR REPLACE FUNCTION store.release_scanner(scanner uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM store.claim c WHERE c.scope = 'action_of:' || scanner;
    IF FOUND THEN PERFORM store.refuse('version'); END IF;
    UPDATE store.quota_usage q SET used = greatest(0, q.used - f.count)
    FROM store.in_flight f
    WHERE f.scanner_id = scanner AND q.organization_id = f.organization_id AND q.period = f.period;
    DELETE FROM store.in_flight f WHERE f.scanner_id = scanner;
END $$;

-- With `erase`, for what must be gone with the event that ends it, and `at_most`, for sets that must stay small.
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
