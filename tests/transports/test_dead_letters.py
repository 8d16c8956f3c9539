"""Dead letters, handled again or given up, and keys that wait behind them: on every transport."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from consumers.transports.dead_letters import blocked_keys, bury, replay
from consumers.transports.poison import PoisonCap
from consumers.transports.port import Outgoing, Poison, Record
from tests.transports.brokers import POISON_IN_A_ROW, Broker, consuming, suite_settings
from tests.transports.ledger import assert_accounted, enter, entries, messages, wait_drained, wait_until
from tests.transports.letters import EVERY, Sick, database, gauge_of, handled, letters, numbered, states


def test_poison_goes_to_the_dead_letters_and_the_rest_is_handled(broker: Broker) -> None:
    transport = broker.transport()
    odd = bytes(range(256))
    sent = messages(60, keys=1)
    bad = Outgoing(b"key-0", odd, "bad", {"odd": odd})
    calls = 0

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        nonlocal calls
        calls += 1
        for record in records:
            try:
                int(record.value.decode())
            except ValueError as error:
                raise Poison(record, "not a number") from error
        enter(conn, "g", records)

    transport.publish("facts", [*sent[:30], bad, *sent[30:]])
    with consuming(transport, "g", ["facts"], handle):
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), sent)
    assert calls == 2
    with psycopg.connect(broker.database_url) as conn:
        letters = conn.execute(
            "SELECT grp, topic, part, off, key, value, headers->>'event_id', decode(headers->>'odd', 'escape'),"
            " attempts, error_class, error FROM log.dead_letter"
        ).fetchall()
    assert len(letters) == 1
    group, topic, part, off, key, value, event_id, header, attempts, error_class, error = letters[0]
    assert (group, topic, bytes(key), bytes(value), event_id, bytes(header)) == (
        "g",
        "facts",
        b"key-0",
        odd,
        "bad",
        odd,
    )
    assert (attempts, error_class) == (1, "UnicodeDecodeError")
    assert "not a number" in error
    neighbours = [entry.off for entry in entries(broker.database_url, "g") if entry.part == part]
    assert min(neighbours) < off < max(neighbours)


def test_poison_in_a_row_stops_the_partition_and_no_other(broker: Broker) -> None:
    """A broken handler must not move the topic into the dead letters."""
    transport = broker.transport()

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        for record in records:
            if record.key == b"key-0":
                raise Poison(record, "everything looks bad")
        enter(conn, "g", records)

    sent = messages(200, keys=20)
    sick = [Outgoing(b"key-0", b"-1", f"sick:{n}") for n in range(20)]
    transport.publish("facts", sick + [record for record in sent if record.key != b"key-0"])
    with consuming(transport, "g", ["facts"], handle):
        wait_until(lambda: sum(1 for behind in transport.lag("g").values() if behind) == 1)
        with psycopg.connect(broker.database_url, autocommit=True) as conn:
            count = "SELECT count(*) FROM log.dead_letter"
            wait_until(lambda: conn.execute(count).fetchone() == (POISON_IN_A_ROW,))
            transport.publish("facts", messages(40, keys=20, start=1_000))
            wait_until(lambda: any(int(entry.value) >= 1_000 for entry in entries(broker.database_url, "g")))
            assert conn.execute(count).fetchone() == (POISON_IN_A_ROW,)
    assert max(transport.lag("g").values()) >= len(sick) - POISON_IN_A_ROW


def test_a_replayed_letter_is_handled_once_by_its_group_and_gone(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(3)
    other: list[Record] = []
    transport.publish("facts", numbered(1, 2, 3, 4))
    with consuming(transport, "other", ["facts"], lambda _, records: other.extend(records)):
        wait_drained(transport, "other")
    with consuming(transport, "g", ["facts"], sick):
        wait_drained(transport, "g")
        assert states(broker) == {3: "dead"}
        sick.values.clear()
        with database(broker) as conn:
            assert replay(conn, EVERY) == 1
        wait_until(lambda: not letters(broker))
    assert handled(broker) == [1, 2, 4, 3]
    assert len(other) == 4, "another group must not see it again"


def test_a_replay_hands_over_the_record_as_it_came(broker: Broker) -> None:
    transport = broker.transport()
    seen: list[Record] = []

    def handle(_: psycopg.Connection, records: Sequence[Record]) -> None:
        seen.extend(records)
        if len(seen) == 1:
            raise Poison(records[0], "not yet")

    transport.publish("facts", numbered(1))
    with consuming(transport, "g", ["facts"], handle):
        wait_drained(transport, "g")
        with database(broker) as conn:
            replay(conn, EVERY)
        wait_until(lambda: len(seen) == 2)
    assert seen[0] == seen[1]


def test_a_replay_that_is_poison_again_stays_and_stops_nothing(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(1)
    transport.publish("facts", numbered(1, 2))
    with consuming(transport, "g", ["facts"], sick):
        wait_drained(transport, "g")
        with database(broker) as conn:
            for tries in (2, 3):
                replay(conn, EVERY)
                wait_until(lambda tries=tries: sick.tries == tries)
                wait_until(lambda: states(broker) == {1: "dead"})
            assert conn.execute("SELECT attempts FROM log.dead_letter").fetchone() == (3,)
        transport.publish("facts", numbered(5))
        wait_drained(transport, "g")
    assert handled(broker) == [2, 5]


def test_a_replay_that_fails_for_now_is_tried_again_by_itself(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(1)
    transport.publish("facts", numbered(1, 2))
    with consuming(transport, "g", ["facts"], sick):
        wait_drained(transport, "g")
        sick.error = lambda _: ValueError("the neighbour is away")
        with database(broker) as conn:
            replay(conn, EVERY)
        wait_until(lambda: sick.tries >= 3)
        assert states(broker) == {1: "replaying"}
        transport.publish("facts", numbered(5))
        wait_until(lambda: handled(broker) == [2, 5], what="others must not wait")
        sick.values.clear()
        wait_until(lambda: not letters(broker))
    assert handled(broker) == [2, 5, 1]


@pytest.mark.parametrize("relayed", [False, True])
def test_a_partition_that_stops_within_a_batch_loses_nothing(broker: Broker, *, relayed: bool) -> None:
    """The batch was fetched and is past its stop; what comes next must not carry the position over the rest."""
    transport = broker.adjusted(replace(suite_settings(), poison=PoisonCap(in_a_row=2)))
    sent = [Outgoing(b"key", str(n).encode(), f"m:{n}", source_id=n if relayed else None) for n in range(1, 13)]
    sick = Sick(3, 4, 5, 6)
    transport.publish("facts", sent[:10])
    with consuming(transport, "g", ["facts"], sick):
        wait_until(lambda: gauge_of(transport, "transport_stopped") == 1)
        assert sorted(states(broker)) == [3, 4]
        sick.values.clear()
        with database(broker) as conn:
            ((part,),) = conn.execute("SELECT part FROM log.position WHERE stopped_at IS NOT NULL")
            assert replay(conn, EVERY) == 2
        wait_until(lambda: not letters(broker), what="replays of a partition that has stopped")
        assert transport.resume("g", "facts", part)
        transport.publish("facts", sent[10:])
        wait_until(lambda: len(handled(broker)) >= 12)
        wait_drained(transport, "g")
    assert sorted(handled(broker)) == list(range(1, 13))


def test_a_forged_source_id_of_a_dead_letter_hides_nothing(broker: Broker) -> None:
    transport = broker.transport()
    forged = Outgoing(b"key", b"3", "forged", source_id=10**17)
    sent = [Outgoing(b"key", str(n).encode(), f"m:{n}", source_id=n) for n in range(10, 20)]
    with consuming(transport, "g", ["facts"], Sick(3)):
        transport.publish("facts", [forged])
        wait_drained(transport, "g")
        transport.publish("facts", sent)
        wait_drained(transport, "g")
    assert handled(broker) == list(range(10, 20))


def test_a_key_of_any_length_can_be_a_dead_letter(broker: Broker) -> None:
    with database(broker) as conn, conn.transaction():
        at = datetime(2026, 11, 27, tzinfo=UTC)
        record = Record("facts", 0, 1, random.Random(1).randbytes(9_000), b"", {}, at)
        bury(conn, "kafka", "g", [Poison(record, "lone \ud800 surrogate")], attempts=1)
        assert blocked_keys(conn, "kafka", "g", "facts", [record.key or b""]) == {record.key}
