-- How many requests each environment has made lately. Unlogged: after a crash of the database counting begins anew.
--
-- `seconds` and `minutes` are rings: the requests let through in each of the last 61 seconds and 61 minutes, the slot
-- being the number of the second (minute) modulo 61. A window is the present slot and the 60 before it, so it covers at
-- least the last 60 s (60 min) and never lets more than the limit through in any of them; it may refuse for up to
-- one second (minute) longer than an exact history of times would.

CREATE UNLOGGED TABLE access.request_rate (
    environment_id integer NOT NULL,
    kind           text    NOT NULL,
    last_second    bigint  NOT NULL, -- since 1970, of the last request that was let through
    seconds        integer[] NOT NULL,
    minutes        integer[] NOT NULL,
    PRIMARY KEY (environment_id, kind)
) WITH (fillfactor = 50);

-- The slots of a ring at `present`, when it was last written at `written`: what has left the window is zero.
CREATE FUNCTION access.turned(ring integer[], written bigint, present bigint) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF present - written >= 61 THEN RETURN array_fill(0, ARRAY[61]); END IF;
    FOR slot IN written + 1 .. present LOOP
        ring[slot % 61 + 1] := 0;
    END LOOP;
    RETURN ring;
END $$;

-- Slots from now until enough of them have left the window for one more request; 0 when there is room at once.
CREATE FUNCTION access.slots_until_room(ring integer[], present bigint, most integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    used bigint := (SELECT sum(u) FROM unnest(ring) u);
BEGIN
    FOR gone IN 0 .. 60 LOOP
        IF used < most THEN RETURN gone; END IF;
        used := used - ring[(present + 1 + gone) % 61 + 1];
    END LOOP;
    RETURN 61;
END $$;

-- Lets one request through and counts it: 0, or the seconds until there is room again. Refused ones are not counted.
-- `at` is null for the clock of the database, read when it is this request's turn. Time does not go back for an
-- environment, unless the clock was set back by more than a minute: then counting begins anew.
CREATE FUNCTION access.count_request(environment integer, what text, per_minute integer, per_hour integer,
                                     at timestamptz) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    r      access.request_rate;
    epoch  double precision;
    second bigint;
    wait   double precision := 0;
    slots  integer;
BEGIN
    LOOP
        SELECT * INTO r FROM access.request_rate q WHERE q.environment_id = environment AND q.kind = what FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO access.request_rate VALUES (environment, what, 0, array_fill(0, ARRAY[61]), array_fill(0, ARRAY[61]))
        ON CONFLICT DO NOTHING;
    END LOOP;
    epoch := extract(epoch FROM coalesce(at, clock_timestamp()));
    IF r.last_second > epoch + 60 THEN r.last_second := 0; END IF;
    epoch := greatest(epoch, r.last_second);
    second := floor(epoch);
    r.seconds := access.turned(r.seconds, r.last_second, second);
    r.minutes := access.turned(r.minutes, r.last_second / 60, second / 60);

    slots := access.slots_until_room(r.seconds, second, per_minute);
    IF slots > 0 THEN wait := second + slots - epoch; END IF;
    slots := access.slots_until_room(r.minutes, second / 60, per_hour);
    IF slots > 0 THEN wait := greatest(wait, (second / 60 + slots) * 60 - epoch); END IF;
    IF wait > 0 THEN RETURN wait; END IF;

    r.seconds[second % 61 + 1] := r.seconds[second % 61 + 1] + 1;
    r.minutes[second / 60 % 61 + 1] := r.minutes[second / 60 % 61 + 1] + 1;
    UPDATE access.request_rate q SET last_second = second, seconds = r.seconds, minutes = r.minutes
    WHERE q.environment_id = environment AND q.kind = what;
    RETURN 0;
END $$;
