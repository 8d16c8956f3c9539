"""Records that wait behind a dead letter of their key, where the order of a key matters: on every transport."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from threading import Event

import psycopg
import pytest

from consumers.transports.dead_letters import Selection, discard, replay
from consumers.transports.kafka.records import partition_of as kafka_place
from consumers.transports.poison import PoisonCap
from consumers.transports.port import Outgoing, Poison, Record
from consumers.transports.postgres import partition_of as postgres_place
from tests.transports.brokers import PARTITIONS, Broker, PostgresBroker, consuming, suite_settings
from tests.transports.ledger import enter, entries, wait_drained, wait_until
from tests.transports.letters import EVERY, Sick, database, gauge_of, handled, letters, numbered, states


def test_a_key_flows_on_behind_its_dead_letter_unless_keys_are_parked(broker: Broker) -> None:
    transport = broker.transport()
    transport.publish("facts", numbered(1, 2, 3))
    with consuming(transport, "g", ["facts"], Sick(2)):
        wait_drained(transport, "g")
    assert handled(broker) == [1, 3]


@pytest.mark.parametrize("batch", [1, 100])
def test_a_parked_key_waits_in_order_and_others_flow(broker: Broker, batch: int) -> None:
    transport, sick = broker.transport(), Sick(2)
    transport.publish("facts", numbered(1, 2, 3))
    transport.publish("facts", numbered(11, 12, 13, key=b"well"))
    with consuming(transport, "g", ["facts"], sick, park_keys=True, max_records=batch):
        wait_drained(transport, "g")
        transport.publish("facts", [*numbered(4, 5), *numbered(14, key=b"well")])
        wait_drained(transport, "g")
        assert states(broker) == {2: "dead", 3: "parked", 4: "parked", 5: "parked"}
        assert sorted(handled(broker)) == [1, 11, 12, 13, 14]

        sick.values.clear()
        with database(broker) as conn:
            assert replay(conn, Selection(group="g")) == 4
        wait_until(lambda: not letters(broker))
        transport.publish("facts", numbered(6))
        wait_drained(transport, "g")
    mine = [int(entry.value) for entry in entries(broker.database_url, "g") if entry.key == "key"]
    assert mine == [1, 2, 3, 4, 5, 6]


def test_a_parked_record_does_not_overtake_the_letter_of_its_key(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(1)
    transport.publish("facts", numbered(1, 2))
    with consuming(transport, "g", ["facts"], sick, park_keys=True):
        wait_drained(transport, "g")
        later = next(letter for letter in letters(broker) if letter.state == "parked")
        with database(broker) as conn:
            assert replay(conn, Selection(ids=[later.id])) == 1
        transport.publish("facts", numbered(7, key=b"other"))
        wait_until(lambda: handled(broker) == [7])
        assert states(broker) == {1: "dead", 2: "replaying"}

        with database(broker) as conn:
            first = next(letter for letter in letters(broker) if letter.state == "dead")
            assert discard(conn, Selection(ids=[first.id])) == 1
        wait_until(lambda: not letters(broker))
    assert sorted(handled(broker)) == [2, 7]


def test_a_key_is_handled_again_when_its_letters_are_discarded(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(1)
    transport.publish("facts", numbered(1, 2))
    with consuming(transport, "g", ["facts"], sick, park_keys=True):
        wait_drained(transport, "g")
        with database(broker) as conn:
            assert discard(conn, Selection(topic="facts")) == 2
        transport.publish("facts", numbered(3))
        wait_drained(transport, "g")
    assert handled(broker) == [3]


def test_what_waits_behind_a_letter_is_replayed_with_it(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(1, 11)
    transport.publish("facts", [*numbered(1, 2, 3), *numbered(11, 12, key=b"other")])
    with consuming(transport, "g", ["facts"], sick, park_keys=True):
        wait_drained(transport, "g")
        with database(broker) as conn:
            wanted = Selection(ids=[_number_of(broker, 1)])
            assert replay(conn, wanted) == 1
            # Poison again: what waits behind it goes on waiting.
            wait_until(lambda: sick.tries >= 3 and states(broker)[1] == "dead")
            assert states(broker) == {1: "dead", 2: "parked", 3: "parked", 11: "dead", 12: "parked"}
            sick.values.clear()
            assert replay(conn, wanted) == 1
        wait_until(lambda: handled(broker) == [1, 2, 3])
    assert states(broker) == {11: "dead", 12: "parked"}


def test_what_waited_behind_a_discarded_letter_is_handled(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(1)
    transport.publish("facts", numbered(1, 2, 3))
    with consuming(transport, "g", ["facts"], sick, park_keys=True):
        wait_drained(transport, "g")
        with database(broker) as conn:
            assert discard(conn, Selection(ids=[_number_of(broker, 1)])) == 1
        wait_until(lambda: not letters(broker))
        transport.publish("facts", numbered(4))
        wait_drained(transport, "g")
    assert handled(broker) == [2, 3, 4]


def test_what_comes_while_a_letter_is_replayed_is_not_left_behind(broker: Broker) -> None:
    transport, sick = broker.transport(), Sick(1)
    transport.publish("facts", numbered(1, 2))
    with consuming(transport, "g", ["facts"], sick, park_keys=True):
        wait_drained(transport, "g")
        sick.error = lambda _: ValueError("the neighbour is away")
        with database(broker) as conn:
            replay(conn, EVERY)
        wait_until(lambda: sick.tries >= 3)
        transport.publish("facts", numbered(3))
        wait_until(lambda: 3 in states(broker))
        sick.values.clear()
        wait_until(lambda: not letters(broker))
        transport.publish("facts", numbered(4))
        wait_drained(transport, "g")
    assert handled(broker) == [1, 2, 3, 4]


def test_discarding_while_a_batch_is_in_hand_leaves_nothing_behind(broker: Broker) -> None:
    transport, busy = broker.transport(), Event()
    transport.publish("facts", numbered(1))

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        for record in records:
            if record.value == b"1":
                raise Poison(record, "sick")
            if record.value == b"9":
                busy.set()
                time.sleep(1)
        enter(conn, "g", records)

    with consuming(transport, "g", ["facts"], handle, park_keys=True):
        wait_drained(transport, "g")
        # In one batch: one that is parked behind the letter, and one that takes a while.
        transport.publish("facts", [*numbered(2), *numbered(9, key=_neighbour(broker))])
        assert busy.wait(10)
        with database(broker) as conn:
            assert discard(conn, Selection(ids=[_number_of(broker, 1)])) == 1
        wait_until(lambda: not letters(broker))
        transport.publish("facts", numbered(3))
        wait_drained(transport, "g")
    assert [value for value in handled(broker) if value != 9] == [2, 3]


def test_thousands_behind_one_letter_are_freed_in_time(broker: Broker) -> None:
    """The work for each must not grow with their number."""
    transport = broker.transport()
    many = 3_000
    with consuming(transport, "g", ["facts"], Sick(0, -2), park_keys=True):
        # Of another key, and they stay.
        transport.publish("facts", numbered(-2, *range(10_000, 10_000 + many), key=_neighbour(broker, 1)))
        transport.publish("facts", numbered(0))
        wait_drained(transport, "g")
        transport.publish("facts", numbered(*range(1, many + 1)))
        wait_drained(transport, "g")
        began = time.monotonic()
        with database(broker) as conn:
            assert discard(conn, Selection(ids=[_number_of(broker, 0)])) == 1
        assert time.monotonic() - began < 3
        transport.publish("facts", numbered(-1, key=_neighbour(broker)))
        waited = wait_until(lambda: -1 in handled(broker))
        assert waited < 5, "others of the partition must not wait until all are replayed"
        wait_until(lambda: len(handled(broker)) == many + 1, seconds=60)
    assert len(states(broker)) == 100, "letters() shows so many at most"
    assert [value for value in handled(broker) if value >= 0] == list(range(1, many + 1))


def _neighbour(broker: Broker, number: int = 0) -> bytes:
    """Other keys of the partition of ``key``."""
    place = postgres_place if isinstance(broker, PostgresBroker) else kafka_place
    mine = place(Outgoing(b"key", b"", "e"), PARTITIONS)
    keys = (b"other-%d" % n for n in range(100))
    return [key for key in keys if place(Outgoing(key, b"", "e"), PARTITIONS) == mine][number]


def _number_of(broker: Broker, value: int) -> int:
    with database(broker) as conn:
        row = conn.execute("SELECT id FROM log.dead_letter WHERE value = %s", (str(value).encode(),)).fetchone()
    assert row is not None
    return row[0]


def test_too_many_parked_records_stop_the_partition(broker: Broker) -> None:
    transport = broker.adjusted(replace(suite_settings(), poison=PoisonCap(in_a_row=5, parked=3)))
    transport.publish("facts", numbered(*range(1, 8)))
    with consuming(transport, "g", ["facts"], Sick(1), park_keys=True, max_records=1):
        wait_until(lambda: gauge_of(transport, "transport_stopped") == 1)
        wait_until(lambda: len(letters(broker)) == 4)
    assert sum(transport.lag("g").values()) == 3
    assert gauge_of(transport, "transport_parked_records") == 3
    assert gauge_of(transport, "transport_dead_letters") == 4
