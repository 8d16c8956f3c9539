"""From a browser's bodies through the log to a recording that can be read."""

import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

import psycopg

from consumers.capture.digest.handler import GROUP
from consumers.capture.digest.undecodable import undecodable_counts
from consumers.capture.messages.snapshot import TOPIC, to_messages
from consumers.capture.posting.posted import accept_rrweb
from consumers.capture.wire.encodings import Json
from consumers.transports.port import Outgoing, Record
from consumers.transports.postgres import PostgresTransport, partition_of
from tests.capture.arrival import recording
from tests.capture.traffic import ENVIRONMENT, EXPECTED, NOW, Capture, click, recorded, snapshot, until


@contextmanager
def consuming(transport: PostgresTransport, capture: Capture, workers: int = 2) -> Iterator[None]:
    stop = Event()
    threads = [
        Thread(
            target=transport.consume, args=(GROUP, [TOPIC], capture.handler), kwargs={"stop": stop, "max_records": 20}
        )
        for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


def test_every_sample_arrives_and_a_broken_message_stops_nobody(capture: Capture, database_url: str) -> None:
    transport = PostgresTransport(database_url, capture.pool)
    names = list(EXPECTED)
    for name in names:
        messages = recorded(name)
        middle = len(messages) // 2
        transport.publish(TOPIC, messages[:middle])
        if name == names[3]:
            transport.publish(TOPIC, [replace(messages[0], value=b"\x1f\x8bjunk", event_id="junk")])
        transport.publish(TOPIC, messages[middle:])
        transport.publish(TOPIC, messages)  # the browser sends again what it thinks is lost

    def counts() -> dict[str, int]:
        rows = capture.rows("SELECT session_id, event_count FROM capture.session")
        return {row["session_id"]: row["event_count"] for row in rows}

    expected = {EXPECTED[name]["session_id"]: EXPECTED[name]["event_count"] for name in names}
    with consuming(transport, capture):
        until(lambda: counts() == expected and sum(transport.lag(GROUP).values()) == 0)
    assert len(capture.rows("SELECT * FROM capture.undecodable")) == 1
    assert capture.rows("SELECT * FROM log.dead_letter") == []
    with capture.pool.connection() as conn:
        for session_id, count in expected.items():
            assert sum(1 for _ in recording(conn, capture.blobs, ENVIRONMENT, session_id)) == count


JUNK: list[Json] = [{"x": "y" * (4 * 1024 * 1024 - 10)}] * 13
BODIES: dict[str, list[Json]] = {"junk after": [click(1), *JUNK], "junk before": [*JUNK, click(1)]}


def posted(items: list[Json], session_id: str) -> list[Outgoing]:
    body = gzip.compress(json.dumps({"session_id": session_id, "token": "phc_any", "events": items}).encode())
    assert len(body) < 100_000
    return list(accept_rrweb(body, {}, {}, NOW, lambda _token: ENVIRONMENT).messages)


def in_partition(partition: int, number: int) -> list[str]:
    """Session ids that go to one partition of the topic."""
    found: list[str] = []
    while len(found) < number:
        name = f"s-{partition}-{len(found)}-"
        tried = 0
        while partition_of(Outgoing(f"{name}{tried}".encode(), b"", "any"), 6) != partition:
            tried += 1
        found.append(f"{name}{tried}")
    return found


def drained(transport: PostgresTransport) -> bool:
    lag = transport.lag(GROUP)
    return len(lag) == 6 and not any(lag.values())


def states(capture: Capture) -> list[tuple[bool, int, int]]:
    rows = capture.rows("SELECT stopped_at IS NOT NULL AS stopped, failures, recent_poison FROM log.position")
    return [(row["stopped"], row["failures"], row["recent_poison"]) for row in rows]


def test_bodies_of_junk_around_an_event_stop_nobody(capture: Capture, database_url: str) -> None:
    """Two bodies of 57 KB used to make 26 messages without an event, and those to stop their partition."""
    transport = PostgresTransport(database_url, capture.pool)
    names = in_partition(2, 6)
    transport.publish(TOPIC, to_messages(snapshot([click(1)], names[0])))
    for name, items in zip(names[1:3], BODIES.values(), strict=True):
        messages = posted(items, name)
        assert len(messages) == 1
        transport.publish(TOPIC, messages)
    for name in names[3:]:
        transport.publish(TOPIC, to_messages(snapshot([click(1), click(2)], name)))
    with consuming(transport, capture):
        until(lambda: drained(transport))
    rows = capture.rows("SELECT session_id, event_count FROM capture.session")
    assert {row["session_id"]: row["event_count"] for row in rows} == dict(zip(names, (1, 1, 1, 2, 2, 2), strict=True))
    unreadable = capture.rows("SELECT session_id, unreadable_count AS n FROM capture.part WHERE unreadable_count > 0")
    assert {row["session_id"]: row["n"] for row in unreadable} == {names[1]: 13, names[2]: 13}
    assert set(states(capture)) == {(False, 0, 0)}
    assert capture.rows("SELECT * FROM capture.undecodable") == []
    assert capture.rows("SELECT * FROM log.dead_letter") == []


def test_many_undecodable_messages_in_a_row_stop_nobody(capture: Capture, database_url: str) -> None:
    """However they come to be: an older release published them, or somebody else did."""
    transport = PostgresTransport(database_url, capture.pool)
    bad, *good = in_partition(4, 5)
    (template,) = to_messages(snapshot([click(1)], bad))
    junk = [replace(template, value=b"junk %d" % number, event_id=f"junk {number}") for number in range(150)]
    transport.publish(TOPIC, to_messages(snapshot([click(1)], good[0])))
    transport.publish(TOPIC, junk[:100])
    for name in good[1:]:
        transport.publish(TOPIC, to_messages(snapshot([click(1)], name)))
    transport.publish(TOPIC, junk[100:])
    with consuming(transport, capture):
        until(lambda: drained(transport))
    assert {row["session_id"] for row in capture.rows("SELECT session_id FROM capture.session")} == set(good)
    assert set(states(capture)) == {(False, 0, 0)}
    assert len(capture.rows("SELECT * FROM capture.undecodable")) == 150
    assert capture.rows("SELECT * FROM log.dead_letter") == []
    with capture.pool.connection() as conn:
        assert undecodable_counts(conn) == {"undecodable": 150}
    # A group that starts over meets them all again, and counts none twice.
    transport.forget(GROUP)
    with consuming(transport, capture):
        until(lambda: drained(transport))
    with capture.pool.connection() as conn:
        assert undecodable_counts(conn) == {"undecodable": 150}
    assert len(capture.rows("SELECT * FROM capture.undecodable")) == 150


def test_a_crash_between_keeping_and_committing_counts_once(capture: Capture, database_url: str) -> None:
    transport = PostgresTransport(database_url, capture.pool)
    (message,) = to_messages(snapshot([click(1)], "bad"))
    transport.publish(TOPIC, [replace(message, value=b"junk")])
    crashes = iter([True, True, False])

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        capture.handler(conn, records)
        if next(crashes):
            raise OSError("gone before the commit")

    stop = Event()
    worker = Thread(target=transport.consume, args=(GROUP, [TOPIC], handle), kwargs={"stop": stop})
    worker.start()
    try:
        until(lambda: bool(capture.rows("SELECT 1 FROM capture.undecodable")))
    finally:
        stop.set()
        worker.join(20)
    (row,) = capture.rows("SELECT * FROM capture.undecodable")
    assert capture.blobs.get(row["blob"]) == b"junk"
    with capture.pool.connection() as conn:
        assert undecodable_counts(conn) == {"undecodable": 1}
