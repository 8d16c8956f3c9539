"""What ``consumers.transports.port`` promises, on every transport. Nothing here may know which one it is."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from threading import Event

import psycopg
import pytest

from consumers.transports.port import (
    MAX_KEY_BYTES,
    MAX_RECORD_BYTES,
    Outgoing,
    Record,
    Refused,
)
from tests.transports.brokers import PARTITIONS, Broker, consuming, suite_settings
from tests.transports.ledger import (
    assert_accounted,
    enter,
    entries,
    messages,
    wait_drained,
    wait_until,
    writes,
)


def test_a_record_arrives_as_it_was_published(broker: Broker) -> None:
    transport = broker.transport()
    odd = bytes(range(256))
    seen: list[Record] = []
    transport.publish("facts", [Outgoing(odd, odd, "a", {"type": b"T", "odd": odd, "empty": b""}, source_id=7)])
    transport.publish("facts", [Outgoing(None, b"", "b")])
    with consuming(transport, "g", ["facts"], lambda _, records: seen.extend(records)):
        wait_until(lambda: len(seen) == 2)
    first, second = sorted(seen, key=lambda record: record.event_id)
    assert first.topic == "facts"
    assert (first.key, first.value, first.event_id, first.source_id) == (odd, odd, "a", 7)
    assert first.headers == {"type": b"T", "odd": odd, "empty": b"", "event_id": b"a", "source_id": b"7"}
    assert first.at.tzinfo is not None
    assert abs(first.at.timestamp() - time.time()) < 60
    assert (second.key, second.value, second.headers, second.source_id) == (None, b"", {"event_id": b"b"}, None)


def test_order_per_key_and_every_record_once(broker: Broker) -> None:
    transport = broker.transport()
    sent = messages(2_500, keys=40)
    with consuming(transport, "g", ["facts"], writes("g"), workers=3, max_records=37):
        for start in range(0, len(sent), 300):
            transport.publish("facts", sent[start : start + 300])
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), sent)


def test_batches_are_of_one_partition_and_bounded(broker: Broker) -> None:
    transport = broker.transport()
    transport.publish("facts", messages(300, keys=40))
    batches: list[Sequence[Record]] = []
    with consuming(transport, "g", ["facts"], lambda _, records: batches.append(list(records)), max_records=25):
        wait_drained(transport, "g")
    assert {len({record.partition for record in batch}) for batch in batches} == {1}
    assert max(len(batch) for batch in batches) == 25
    assert len({batch[0].partition for batch in batches}) == PARTITIONS


def test_calls_for_one_partition_never_overlap(broker: Broker) -> None:
    transport = broker.transport()
    inside: Counter[int] = Counter()
    overlaps: list[int] = []
    guard = threading.Lock()

    def handle(_: psycopg.Connection, records: Sequence[Record]) -> None:
        part = records[0].partition
        with guard:
            inside[part] += 1
            if inside[part] > 1:
                overlaps.append(part)
        time.sleep(random.random() / 200)
        with guard:
            inside[part] -= 1

    transport.publish("facts", messages(600, keys=40))
    with consuming(transport, "g", ["facts"], handle, workers=4, max_records=10):
        wait_drained(transport, "g")
    assert overlaps == []


def test_nothing_is_lost_or_doubled_over_handler_errors(broker: Broker) -> None:
    transport = broker.transport()
    dice = random.Random(7)
    failed = 0

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        nonlocal failed
        enter(conn, "g", records)  # before the error, so that only a rollback keeps it from counting twice
        if dice.random() < 0.25:
            failed += 1
            raise ValueError("not today")

    sent = messages(400)
    transport.publish("facts", sent)
    with consuming(transport, "g", ["facts"], handle, workers=2, max_records=20):
        wait_drained(transport, "g", seconds=60)
    assert failed > 0
    assert_accounted(entries(broker.database_url, "g"), sent)


def test_a_failed_statement_that_the_handler_swallows_is_still_a_failure(broker: Broker) -> None:
    transport = broker.transport()
    tries = 0

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        nonlocal tries
        tries += 1
        enter(conn, "g", records)
        if tries == 1:
            with pytest.raises(psycopg.errors.UndefinedTable):
                conn.execute("SELECT * FROM nowhere")

    sent = messages(5, keys=1)
    transport.publish("facts", sent)
    with consuming(transport, "g", ["facts"], handle):
        wait_drained(transport, "g")
    assert tries == 2
    assert_accounted(entries(broker.database_url, "g"), sent)


def test_a_failing_key_does_not_stop_other_partitions(broker: Broker) -> None:
    transport = broker.transport()
    healed = Event()

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        if any(record.key == b"key-0" for record in records) and not healed.is_set():
            raise ValueError("key-0 is ill")
        enter(conn, "g", records)

    sent = messages(400, keys=20)
    transport.publish("facts", sent)
    with consuming(transport, "g", ["facts"], handle, workers=2):
        wait_until(lambda: sum(1 for behind in transport.lag("g").values() if behind) == 1)
        ill = entries(broker.database_url, "g")
        assert len({entry.part for entry in ill}) == PARTITIONS - 1
        assert not any(entry.key == "key-0" for entry in ill)
        healed.set()
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), sent)


def test_a_failing_partition_is_tried_ever_less_often(broker: Broker) -> None:
    transport = broker.transport()
    tries: list[float] = []

    def handle(_: psycopg.Connection, __: Sequence[Record]) -> None:
        tries.append(time.monotonic())
        raise ValueError("never")

    transport.publish("facts", messages(1))
    with consuming(transport, "g", ["facts"], handle, workers=2):
        wait_until(lambda: len(tries) >= 4)
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert gaps[0] >= 0.1
    assert min(gaps[2:]) >= 0.4


def test_groups_are_independent(broker: Broker) -> None:
    transport = broker.transport()
    sent = messages(100)
    transport.publish("facts", sent)

    def fail(_: psycopg.Connection, __: Sequence[Record]) -> None:
        raise ValueError("always")

    with (
        consuming(transport, "ill", ["facts"], fail),
        consuming(transport, "one", ["facts"], writes("one")),
        consuming(transport, "two", ["facts"], writes("two")),
    ):
        wait_drained(transport, "one")
        wait_drained(transport, "two")
        assert sum(transport.lag("ill").values()) == 100
    for group in ("one", "two"):
        assert_accounted(entries(broker.database_url, group), sent)


def test_topics_are_independent(broker: Broker) -> None:
    transport = broker.transport()
    facts, other = messages(50), messages(50, start=1_000)
    transport.publish("facts", facts)
    transport.publish("other", other)
    with consuming(transport, "both", ["facts", "other"], writes("both")):
        wait_drained(transport, "both")
    with consuming(transport, "single", ["other"], writes("single")):
        wait_drained(transport, "single")
    found = entries(broker.database_url, "both")
    assert_accounted([entry for entry in found if entry.topic == "facts"], facts)
    assert_accounted([entry for entry in found if entry.topic == "other"], other)
    assert_accounted(entries(broker.database_url, "single"), other)


def test_work_splits_over_two_workers(broker: Broker) -> None:
    transport = broker.transport()
    meeting = threading.Barrier(2, timeout=15)
    parts: dict[str, set[int]] = defaultdict(set)

    def handle(_: psycopg.Connection, records: Sequence[Record]) -> None:
        if not parts[threading.current_thread().name]:
            meeting.wait()  # passes only if both workers handle at the same time
        parts[threading.current_thread().name].add(records[0].partition)

    transport.publish("facts", messages(400, keys=40))
    with consuming(transport, "g", ["facts"], handle, workers=2, max_records=10):
        wait_drained(transport, "g")
    assert len(parts) == 2


def test_published_while_nobody_listens_arrives_later(broker: Broker) -> None:
    transport = broker.transport()
    first, second = messages(60), messages(60, start=60)
    with consuming(transport, "g", ["facts"], writes("g")):
        transport.publish("facts", first)
        wait_drained(transport, "g")
    transport.publish("facts", second)
    assert sum(transport.lag("g").values()) == 60
    with consuming(broker.transport(), "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), first + second)


def test_lag_counts_what_is_not_handled(broker: Broker) -> None:
    transport = broker.transport()
    assert transport.lag("g") == {}
    gate = Event()

    def wait_at_the_gate(_: object, __: object) -> None:
        gate.wait(10)

    with consuming(transport, "g", ["facts"], wait_at_the_gate):
        transport.publish("facts", messages(30))
        wait_until(lambda: sum(transport.lag("g").values()) == 30)
        assert {topic for topic, _ in transport.lag("g")} == {"facts"}
        gate.set()
        wait_drained(transport, "g")
    assert set(transport.lag("g").values()) == {0}


@pytest.mark.parametrize("busy", [False, True])
def test_stop_returns_within_two_seconds(broker: Broker, *, busy: bool) -> None:
    transport = broker.transport()
    stop, handled = Event(), Event()
    transport.publish("facts", messages(2_000 if busy else 1))

    def handle(_: psycopg.Connection, __: Sequence[Record]) -> None:
        handled.set()
        time.sleep(0.02)

    thread = threading.Thread(
        target=lambda: transport.consume("g", ["facts"], handle, stop=stop, max_records=1 if busy else 100)
    )
    thread.start()
    assert handled.wait(10)
    if not busy:
        wait_drained(transport, "g")
    began = time.monotonic()
    stop.set()
    thread.join(10)
    assert time.monotonic() - began < 2


def test_an_event_id_is_kept_once(broker: Broker) -> None:
    transport = broker.transport()
    sent = messages(50)
    with consuming(transport, "g", ["facts"], writes("g")):
        transport.publish("facts", sent)
        transport.publish("facts", sent)
        transport.publish("facts", [sent[3], sent[3], *messages(1, start=50), sent[4]])
        wait_drained(transport, "g")
        transport.publish("facts", sent)
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), sent + messages(1, start=50))


def test_repeated_source_ids_are_skipped(broker: Broker) -> None:
    """What a relay sends twice has new event ids at worst; its source ids never go back in a key."""
    transport = broker.transport()

    def copied(numbers: range, mark: str) -> list[Outgoing]:
        return [Outgoing(b"key", str(n).encode(), f"{mark}:{n}", source_id=n) for n in numbers]

    with consuming(transport, "g", ["facts"], writes("g"), max_records=7):
        transport.publish("facts", copied(range(1, 31), "first"))
        transport.publish("facts", copied(range(20, 41), "again"))
        wait_drained(transport, "g")
    with consuming(transport, "g", ["facts"], writes("g")):
        transport.publish("facts", copied(range(35, 51), "third"))
        wait_drained(transport, "g")
    assert_accounted(entries(broker.database_url, "g"), copied(range(1, 51), "first"))


@pytest.mark.parametrize("name", ["", "no spaces", "../up", "x" * 60, "nul\x00"])
def test_illegal_names_are_refused(broker: Broker, name: str) -> None:
    transport = broker.transport()
    with pytest.raises(Refused):
        transport.publish(name, messages(1))
    with pytest.raises(Refused):
        transport.consume("g", [name], writes("g"), stop=Event())
    with pytest.raises(Refused):
        transport.consume(name and f"{name}{name}", ["facts"], writes("g"), stop=Event())


def test_records_outside_the_limits_are_refused() -> None:
    for outgoing in (
        {"key": b"k", "value": b"", "event_id": ""},
        {"key": b"k", "value": b"", "event_id": "e" * 256},
        {"key": b"k", "value": b"", "event_id": "nul\x00"},
        {"key": b"k" * (MAX_KEY_BYTES + 1), "value": b"", "event_id": "e"},
        {"key": b"k", "value": bytes(MAX_RECORD_BYTES), "event_id": "e"},
        {"key": b"k", "value": b"", "event_id": "e", "headers": {"": b""}},
        {"key": b"k", "value": b"", "event_id": "e", "headers": {"h": bytes(10_000)}},
    ):
        with pytest.raises(Refused):
            Outgoing(**outgoing)


def test_a_large_record_and_a_large_batch_arrive(broker: Broker) -> None:
    # 44 MB on a busy machine: it is not about time.
    transport = broker.adjusted(replace(suite_settings(), publish_seconds=30))
    large = Outgoing(b"big", random.Random(1).randbytes(20 * 1024 * 1024), "big")
    many = [Outgoing(b"big", random.Random(n).randbytes(1024 * 1024), f"mb:{n}") for n in range(24)]
    sizes: list[list[int]] = []
    values: list[bytes] = []

    def handle(_: psycopg.Connection, records: Sequence[Record]) -> None:
        sizes.append([len(record.value) for record in records])
        values.extend(record.value for record in records)

    transport.publish("facts", [many[0], large, *many[1:]])
    with consuming(transport, "g", ["facts"], handle):
        wait_drained(transport, "g")
    assert values == [many[0].value, large.value, *[record.value for record in many[1:]]]
    assert max(sum(batch) for batch in sizes if len(batch) > 1) <= 16 * 1024 * 1024
