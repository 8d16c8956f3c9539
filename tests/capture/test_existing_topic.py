"""An existing topic of the reference form, filled by its own producer, read from a real broker."""

import gzip
import json
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import UnknownTopicOrPartitionError
from pydantic import ValidationError

from api.bootstrap import runtime
from api.roles import ROLES
from api.settings import Settings
from consumers.capture.digest.undecodable import undecodable_counts
from consumers.capture.ending.settler import capture_lag
from consumers.capture.messages.existing_topic import GROUP, ExistingTopicHandler
from consumers.capture.wire.encodings import decode_body
from consumers.transports.port import Refused
from tests.capture.traffic import EXPECTED, ITS_ENVIRONMENT, KNOWN_TOKEN, Capture, posts, until
from tests.servers.kafka import KafkaServer

SAMPLES = ("tests/recordings/two_tabs_one_session.jsonl.gz", "tests/recordings/sdk_1_160_abandon.jsonl.gz")
COUNTS = ("event_count", "click_count", "keypress_count", "active_milliseconds")

Message = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value and headers."""


def as_the_reference_writes_it(event: dict[str, Any], token: str, number: int) -> Message:
    """Capture 5, step 2: `data` is a JSON text, headers are texts, and some messages are packed."""
    properties = event["properties"]
    session_id, distinct_id = properties["$session_id"], properties["distinct_id"]
    items = {
        "distinct_id": distinct_id,
        "$session_id": session_id,
        "$window_id": properties["$window_id"],
        "$snapshot_source": "web",
        "$snapshot_items": properties["$snapshot_data"],
        "$lib": "web",
    }
    outer = {
        "uuid": event["uuid"],
        "distinct_id": distinct_id,
        "ip": "127.0.0.1",
        "data": json.dumps({"event": "$snapshot_items", "properties": items}),
        "now": "2026-11-23T18:10:57.700+00:00",
        "sent_at": "2026-11-23T18:10:57.624Z",
        "token": token,
        "event": "$snapshot_items",
        "timestamp": "2026-11-23T18:10:57.602+00:00",
    }
    value = json.dumps(outer).encode()
    headers = {
        "token": token,
        "distinct_id": distinct_id,
        "session_id": session_id,
        "timestamp": "1795457457602",
        "event": "$snapshot_items",
        "uuid": event["uuid"],
        "now": outer["now"],
    }
    packed = gzip.compress(value) if number % 2 else value
    return session_id.encode(), packed, [(name, text.encode()) for name, text in headers.items()]


def snapshots(name: str) -> list[dict[str, Any]]:
    """The `$snapshot` events of a recording's bodies."""
    found: list[dict[str, Any]] = []
    for post in posts(name):
        if post["path"] == "/s/":
            document: Any = decode_body(post["body"], "", post["query"].get("compression", ""))
            found += document if isinstance(document, list) else [document]
    return found


def fill(server: KafkaServer, topic: str) -> int:
    """The topic as its owner made it, with messages of ours, of others and of nobody; how many."""
    wanted: Any = {topic: {"num_partitions": 3, "replication_factor": 1}}  # tools know the client's release 2
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
        admin.create_topics(wanted)
    messages = [
        as_the_reference_writes_it(event, KNOWN_TOKEN, number)
        for name in SAMPLES
        for number, event in enumerate(snapshots(name))
    ]
    (key, value, headers), *_ = messages
    other = as_the_reference_writes_it(snapshots(SAMPLES[0])[0], "phc_of_others", 0)
    messages.append(other)
    # A stranger's headers must not say whose a message is, or where its content lies.
    messages.append((other[0], other[1], [*other[2], ("environment_id", b"9"), ("held_blob", b"9/x/y")]))
    messages.append((key, b"\x1f\x8bjunk", headers))
    messages.append((key, value, [*headers, ("environment_id", b"9")]))  # sent again
    producer = KafkaProducer(bootstrap_servers=server.bootstrap)
    for message_key, message_value, message_headers in messages:
        producer.send(topic, key=message_key, value=message_value, headers=message_headers)
    producer.flush()
    producer.close()
    return len(messages)


def settings_for(server: KafkaServer, topic: str, home: Path) -> Settings:
    return Settings(
        home=home,
        kafka_bootstrap_servers=[server.bootstrap],
        kafka_topic_prefix=f"t{uuid4().hex[:8]}.",
        kafka_snapshots_topic=topic,
    )


def test_recordings_of_an_existing_topic(
    capture: Capture, kafka_server: KafkaServer, database_url: str, tmp_path: Path
) -> None:
    topic = f"session_recording_items_{uuid4().hex[:8]}"
    sent = fill(kafka_server, topic)
    stop = Event()
    with runtime(settings_for(kafka_server, topic, tmp_path), database_url, b"s" * 32) as running:
        assert "existing snapshots" in dict(ROLES["capture"](running))
        transport = running.transport
        handler = ExistingTopicHandler(capture.handler)
        worker = Thread(target=transport.consume, args=(GROUP, [topic], handler), kwargs={"stop": stop})
        worker.start()
        try:
            until(lambda: len(transport.lag(GROUP)) == 3 and sum(transport.lag(GROUP).values()) == 0)
            assert {place[0] for place in transport.lag(GROUP)} == {topic}
            assert {g.labels["topic"] for g in transport.gauges() if g.labels.get("group") == GROUP} == {topic}
            assert capture_lag(transport)() == 0
            with pytest.raises(Refused, match="only read"):
                transport.publish(topic, [])
        finally:
            stop.set()
            worker.join(20)
    for name in SAMPLES:
        expected = EXPECTED[name]
        row = capture.session(expected["session_id"], ITS_ENVIRONMENT)
        assert {count: row[count] for count in COUNTS} == {count: expected[count] for count in COUNTS}
        assert row["distinct_ids"] == expected["distinct_ids"]
    assert len(capture.rows("SELECT 1 FROM capture.session")) == len(SAMPLES)
    with capture.pool.connection() as conn:
        assert undecodable_counts(conn) == {"undecodable": 1, "unknown_token": 2}
    assert len(capture.rows("SELECT 1 FROM capture.undecodable")) == 1, "nothing is kept of what is others'"
    assert sent == sum(len(snapshots(name)) for name in SAMPLES) + 4
    assert capture.rows("SELECT 1 FROM log.topic WHERE transport = 'postgres' AND name = %s", topic) == []


def test_a_topic_of_others_is_not_made(
    capture: Capture,
    kafka_server: KafkaServer,
    database_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = f"nobody_made_{uuid4().hex[:8]}"
    with runtime(settings_for(kafka_server, topic, tmp_path), database_url, b"s" * 32) as running:
        stop = Event()
        handler = ExistingTopicHandler(capture.handler)
        worker = Thread(target=running.transport.consume, args=(GROUP, [topic], handler), kwargs={"stop": stop})
        worker.start()
        try:
            until(lambda: "not ours to make" in caplog.text)
        finally:
            stop.set()
            worker.join(20)
    with closing(KafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)) as admin:
        (described,) = admin.describe_topics([topic])
    assert described["error_code"] == UnknownTopicOrPartitionError.errno


@pytest.mark.parametrize(
    "given",
    [
        {"kafka_snapshots_topic": "theirs"},
        {"kafka_snapshots_topic": "vision.snapshots", "kafka_bootstrap_servers": ["a:1"]},
        {"kafka_snapshots_topic": "snapshots", "kafka_bootstrap_servers": ["a:1"], "kafka_topic_prefix": ""},
        {"kafka_snapshots_topic": "a/b", "kafka_bootstrap_servers": ["a:1"]},
        {"kafka_snapshots_topic": "a" * 57, "kafka_bootstrap_servers": ["a:1"]},
    ],
)
def test_names_that_make_no_sense(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)


def test_without_the_setting_only_our_own_topic_is_read() -> None:
    assert Settings().kafka_snapshots_topic is None
