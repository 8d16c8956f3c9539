"""Topics on the broker: how they are made, checked, grown and made anew."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from consumers.transports.kafka.records import partition_of
from consumers.transports.port import Outgoing, Refused, Unavailable
from tests.transports.brokers import PARTITIONS, KafkaBroker, admin_of, consuming, suite_settings
from tests.transports.ledger import assert_accounted, entries, messages, published, wait_drained, wait_until, writes


def test_a_topic_is_made_with_its_partitions_its_size_and_the_brokers_time(kafka: KafkaBroker) -> None:
    kafka.transport().publish("facts", messages(1))
    with admin_of(kafka) as admin:
        (topic,) = admin.describe_topics([f"{kafka.prefix}facts"])
        wanted = {"max.message.bytes": 33 * 1024 * 1024, "message.timestamp.type": "LogAppendTime"}
        (described,) = admin.describe_configs([_config(f"{kafka.prefix}facts", *wanted, "retention.ms")])[
            "topic"
        ].values()
    assert len(topic["partitions"]) == PARTITIONS
    assert {name: described[name]["value"] for name in wanted} == {name: str(value) for name, value in wanted.items()}
    assert int(described["retention.ms"]["value"]) == timedelta(days=1).total_seconds() * 1000


def _config(topic: str, *names: str) -> object:
    return ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(names, ""))


def test_a_key_lives_where_other_clients_put_it(kafka: KafkaBroker) -> None:
    kafka.transport().publish("facts", messages(1))
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        for n in range(20):
            key = f"key-{n}".encode()
            theirs = producer.send(f"{kafka.prefix}facts", b"v", key).get(5).partition
            assert theirs == partition_of(Outgoing(key, b"", "e"), PARTITIONS)


def test_added_partitions_are_read_and_move_no_key(kafka: KafkaBroker) -> None:
    kafka.transport().publish("facts", messages(40, keys=40))
    with admin_of(kafka) as admin:
        admin.create_partitions({f"{kafka.prefix}facts": PARTITIONS + 3})
    grown = kafka.transport()
    wait_until(lambda: published(grown, messages(40, keys=40, start=40)))
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        producer.send(f"{kafka.prefix}facts", b"1000", b"theirs", partition=PARTITIONS + 2).get(5)
    with consuming(grown, "g", ["facts"], writes("g")):
        wait_drained(grown, "g")
    found = entries(kafka.database_url, "g")
    assert_accounted([entry for entry in found if entry.key != "theirs"], messages(80, keys=40))
    assert {entry.part for entry in found if entry.key != "theirs"} <= set(range(PARTITIONS))
    assert [entry.part for entry in found if entry.key == "theirs"] == [PARTITIONS + 2]


def test_a_topic_that_was_made_anew_is_read_from_its_start(
    kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    transport = kafka.transport()
    transport.publish("facts", messages(200))
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
    with admin_of(kafka) as admin:
        admin.delete_topics([f"{kafka.prefix}facts"])
    after = kafka.transport()
    wait_until(lambda: published(after, messages(50, start=200)), what="publishing to the new one")
    with consuming(after, "g", ["facts"], writes("g")):
        wait_until(lambda: len(entries(kafka.database_url, "g")) >= 250)
        wait_drained(after, "g")
    assert sorted(int(entry.value) for entry in entries(kafka.database_url, "g")) == list(range(250))
    assert "made anew" in caplog.text


def test_a_topic_that_cannot_hold_the_records_is_refused_with_the_reason(kafka: KafkaBroker) -> None:
    with admin_of(kafka) as admin:
        small = {"num_partitions": 2, "replication_factor": 1, "configs": {"max.message.bytes": "1000000"}}
        admin.create_topics({f"{kafka.prefix}facts": small}, wait_for_metadata=True)
    with pytest.raises(Unavailable, match=r"1000000 bytes at most .* max\.message\.bytes"):
        kafka.transport().publish("facts", messages(1))
    modest = replace(kafka.settings(), record_bytes_of={"facts": 900_000})
    transport = kafka.adjusted(suite_settings(), modest)
    with pytest.raises(Refused, match="900000"):
        transport.publish("facts", [Outgoing(b"k", bytes(950_000), "large")])
    transport.publish("facts", messages(5))


def test_topics_of_a_longer_prefix_are_none_of_this_one(kafka: KafkaBroker) -> None:
    with ExitStack() as stack:
        longer = KafkaBroker(kafka.database_url, stack, kafka.address, prefix=f"{kafka.prefix}prod.")
        left = longer.transport()
        with consuming(left, "g", ["facts"], writes("g")):
            left.publish("facts", messages(5))
            wait_drained(left, "g")
    with admin_of(kafka) as admin:
        admin.delete_topics([f"{longer.prefix}facts"])
    transport = kafka.transport()
    with consuming(transport, "g", ["facts"], writes("g")):
        transport.publish("facts", messages(5, start=5))
        wait_drained(transport, "g")
        assert {gauge.labels.get("topic") for gauge in transport.gauges()} <= {"facts", None}
    assert {topic for topic, _ in transport.lag("g")} == {"facts"}
