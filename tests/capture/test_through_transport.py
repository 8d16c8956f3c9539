"""From a browser's bodies through the log to a recording that can be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

from consumers.capture.handler import GROUP
from consumers.capture.recording import recording
from consumers.capture.snapshot import TOPIC
from consumers.transports.postgres import PostgresTransport
from tests.capture.traffic import ENVIRONMENT, EXPECTED, Capture, recorded, until


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
    assert len(capture.rows("SELECT * FROM log.dead_letter")) == 1
    with capture.pool.connection() as conn:
        for session_id, count in expected.items():
            assert sum(1 for _ in recording(conn, capture.blobs, ENVIRONMENT, session_id)) == count
