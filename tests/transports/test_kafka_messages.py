"""Messages that only others publish, or that cannot be read at all."""

from __future__ import annotations

from contextlib import closing

import pytest
from kafka import KafkaProducer, codec

from consumers.transports.kafka.records import partition_of
from consumers.transports.port import Outgoing, Record
from tests.transports.brokers import PARTITIONS, KafkaBroker, admin_of, consuming
from tests.transports.ledger import entries, messages, published, wait_drained, wait_until, writes


class Latin(str):
    """A header name as clients write that do not say how it is encoded."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return str(self)[:].encode("latin-1")


def test_header_names_that_are_not_utf_8_stop_nobody(kafka: KafkaBroker) -> None:
    transport = kafka.transport()
    transport.publish("facts", messages(1))
    seen: list[Record] = []
    with closing(KafkaProducer(bootstrap_servers=kafka.address, compression_type="gzip", linger_ms=50)) as producer:
        for n in range(5):
            headers = [("before", b"1"), (Latin("gr\xf6\xdfe"), b"2"), ("event_id", b"theirs:%d" % n)]
            producer.send(f"{kafka.prefix}facts", b"%d" % n, b"k", headers, partition=0)
        producer.flush(5)
    with consuming(transport, "g", ["facts"], lambda _, records: seen.extend(records), max_records=2):
        wait_drained(transport, "g")
        assert transport.gauges()
    theirs = [record for record in seen if record.event_id.startswith("theirs")]
    assert [record.value for record in theirs] == [b"0", b"1", b"2", b"3", b"4"]
    assert dict(theirs[0].headers) == {"before": b"1", "gr\ufffd\ufffde": b"2", "event_id": b"theirs:0"}


def test_a_message_that_cannot_be_read_holds_back_its_partition_alone(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the library of a compression is missing."""
    transport = kafka.transport()
    transport.publish("facts", messages(1))
    with closing(KafkaProducer(bootstrap_servers=kafka.address, compression_type="gzip")) as producer:
        producer.send(f"{kafka.prefix}facts", b"7" * 500, b"theirs", partition=2).get(5)
    monkeypatch.setattr(codec, "has_gzip", lambda: False)
    others = [
        key for key in (b"key-%d" % n for n in range(20)) if partition_of(Outgoing(key, b"", "e"), PARTITIONS) != 2
    ]
    with consuming(transport, "g", ["facts"], writes("g")):
        for number, key in enumerate(others, start=1):
            transport.publish("facts", [Outgoing(key, str(number).encode(), f"m:{number}")])
        wait_until(lambda: len(entries(kafka.database_url, "g")) >= len(others))
        wait_until(lambda: _failures(kafka) >= 2)
        assert sum(transport.lag("g").values()) == 1
        monkeypatch.undo()
        wait_drained(transport, "g")
    assert [entry.value for entry in entries(kafka.database_url, "g") if entry.key == "theirs"] == ["7" * 500]


def test_places_in_a_topic_that_was_made_anew_are_new_ones(kafka: KafkaBroker) -> None:
    """A message without an id is known by its place, which the old topic had too."""
    for turn in ("1", "2"):
        transport = kafka.transport()
        wait_until(lambda transport=transport, turn=turn: published(transport, messages(1, mark=turn)))
        with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
            producer.send(f"{kafka.prefix}facts", turn.encode(), b"theirs", partition=3).get(5)
        with consuming(transport, "g", ["facts"], writes("g")):
            wait_drained(transport, "g")
        with admin_of(kafka) as admin:
            admin.delete_topics([f"{kafka.prefix}facts"])
    assert [entry.value for entry in entries(kafka.database_url, "g") if entry.key == "theirs"] == ["1", "2"]


def test_marks_of_transactions_are_passed_over(kafka: KafkaBroker) -> None:
    """They take an offset and are no records: the last one would count as a record behind for ever."""
    transport = kafka.transport()
    transport.publish("facts", messages(1))
    with closing(KafkaProducer(bootstrap_servers=kafka.address, transactional_id=kafka.prefix)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        for part in range(PARTITIONS):
            producer.send(f"{kafka.prefix}facts", b"%d" % (part + 1), b"theirs", partition=part)
        producer.commit_transaction()
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
    assert sorted(entry.value for entry in entries(kafka.database_url, "g")) == ["0", "1", "2", "3", "4"]


def _failures(kafka: KafkaBroker) -> float:
    return max(gauge.value for gauge in kafka.transport().gauges() if gauge.name == "transport_failures")
