"""What only the Kafka adapter promises: fences, offsets that are gone, messages of others, secure connections."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from consumers.transports.gauges import CATALOGUE
from consumers.transports.handling import Handling
from consumers.transports.kafka.clients import Clients
from consumers.transports.kafka.records import partition_of
from consumers.transports.kafka.topics import Topics
from consumers.transports.kafka.transport import KafkaTransport
from consumers.transports.kafka.worker import Worker
from consumers.transports.port import Outgoing, Record, Unavailable
from consumers.transports.settings import KafkaSettings, LogSettings
from tests.servers.kafka import KafkaServer
from tests.transports.brokers import PARTITIONS, KafkaBroker, admin_of, consuming, suite_settings
from tests.transports.ledger import (
    assert_accounted,
    enter,
    entries,
    messages,
    open_ledger,
    wait_drained,
    wait_until,
    writes,
)


def _row(kafka: KafkaBroker, what: str) -> object:
    with psycopg.connect(kafka.database_url) as conn:
        row = conn.execute(f"SELECT {what}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def _gauge(transport: KafkaTransport, name: str, **labels: str) -> float:
    assert name in CATALOGUE
    return sum(
        gauge.value for gauge in transport.gauges() if gauge.name == name and labels.items() <= gauge.labels.items()
    )


def _key_in(part: int) -> bytes:
    keys = (f"k{n}".encode() for n in range(1_000))
    return next(key for key in keys if partition_of(Outgoing(key, b"", "e"), PARTITIONS) == part)


def test_positions_that_the_brokers_have_lost_stop_the_partition_until_an_operator_says_so(
    kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    transport = kafka.transport()
    key = _key_in(1)
    sent = [Outgoing(key, str(n).encode(), f"m:{n}") for n in range(30)]
    transport.publish("facts", sent[:10])
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
    transport.publish("facts", sent[10:])
    with admin_of(kafka) as admin:
        admin.delete_records({TopicPartition(f"{kafka.prefix}facts", 1): 20})
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_until(lambda: _gauge(transport, "transport_stopped", partition="1") == 1)
        assert len(entries(kafka.database_url, "g")) == 10, "it must not skip what is lost in silence"
        assert "STOPPED" in caplog.text
        assert sum(transport.lag("g").values()) == 10
        assert transport.resume("g", "facts", 1)
        wait_drained(transport, "g")
    assert [int(entry.value) for entry in entries(kafka.database_url, "g")] == [*range(10), *range(20, 30)]
    assert not transport.resume("g", "facts", 99)


def test_a_worker_that_slept_through_its_replacement_moves_nothing(kafka: KafkaBroker) -> None:
    """SIGSTOP in the middle of a batch, with the transaction open: when it wakes, it must neither write nor go on."""
    transport = kafka.transport()
    sent = messages(200, keys=20)
    transport.publish("facts", sent)
    worker = kafka.spawn("g", "facts", slow_ms=300)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "handling\n"
    worker.send_signal(signal.SIGSTOP)
    try:
        with consuming(transport, "g", ["facts"], writes("g")):
            # The frozen worker holds one partition's row; the others are taken over after its session.
            wait_until(lambda: sum(1 for behind in transport.lag("g").values() if behind) <= 1)
            worker.send_signal(signal.SIGCONT)
            wait_drained(transport, "g")
    finally:
        worker.send_signal(signal.SIGCONT)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(10) == 0
    assert_accounted(entries(kafka.database_url, "g"), sent)


def test_each_claim_counts_the_epoch_up(kafka: KafkaBroker) -> None:
    transport = kafka.transport()
    transport.publish("facts", messages(40, keys=40))
    for turn in (1, 2):
        with consuming(transport, "g", ["facts"], writes("g")):
            wait_until(lambda turn=turn: _row(kafka, "min(epoch) FROM log.position") == turn)
            wait_drained(transport, "g")


def test_positions_are_told_to_kafka_for_its_tools(kafka: KafkaBroker) -> None:
    transport = kafka.adjusted(suite_settings(), replace(kafka.settings(), commit_seconds=0.1))
    transport.publish("facts", messages(100))
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")

        def told() -> int:
            with admin_of(kafka) as admin:
                offsets = admin.list_group_offsets(f"{kafka.prefix}g")
            return sum(found.offset for found in offsets.get(f"{kafka.prefix}g", {}).values())

        wait_until(lambda: told() == 100)


def test_messages_of_others_are_handled_too(kafka: KafkaBroker) -> None:
    """Without our headers, with values that ours never have, and twice the same: nothing says they are one."""
    transport = kafka.transport()
    transport.publish("facts", messages(1))
    seen: list[Record] = []
    theirs = f"{kafka.prefix}theirs"
    with admin_of(kafka) as admin:
        configs = {"max.message.bytes": "35000000", "message.timestamp.after.max.ms": str(2**63 - 1)}
        admin.create_topics({theirs: {"num_partitions": 1, "configs": configs}}, wait_for_metadata=True)
    with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
        name = f"{kafka.prefix}facts"
        headers = [("source_id", b"many"), ("event_id", b"\xff"), ("nul\x00", b"\x00"), ("event_id", b"")]
        for _ in range(2):
            producer.send(name, None, b"k", headers, partition=0).get(5)
        producer.send(name, b"v", None, [], partition=0).get(5)
        for time_stamp in (0, 2**62):
            producer.send(theirs, b"v", b"k", [], partition=0, timestamp_ms=time_stamp).get(5)
    with consuming(transport, "g", ["facts", "theirs"], lambda _, records: seen.extend(records)):
        wait_until(lambda: len(seen) == 6)
        wait_drained(transport, "g")
    assert [record.at.year for record in seen if record.topic == "theirs"] == [1970, 9999]
    foreign = [record for record in seen if record.topic == "facts" and not record.event_id.startswith("m:")]
    assert [record.value for record in foreign] == [b"", b"", b"v"]
    assert len({record.event_id for record in foreign}) == 3
    assert {record.source_id for record in foreign} == {None}


def test_remembered_ids_are_forgotten_when_they_are_old(kafka: KafkaBroker) -> None:
    settings = replace(suite_settings(), remember=timedelta(0), trim_every=timedelta(seconds=0.1))
    transport = kafka.adjusted(settings)
    transport.publish("facts", messages(50))
    with consuming(transport, "g", ["facts"], writes("g")):
        wait_drained(transport, "g")
        wait_until(lambda: _row(kafka, "count(*) FROM log.seen") == 0)


def test_gauges_tell_how_old_the_oldest_record_is(kafka: KafkaBroker) -> None:
    transport = kafka.transport()

    def fail(_: psycopg.Connection, __: Sequence[Record]) -> None:
        raise ValueError("no")

    transport.publish("facts", [Outgoing(_key_in(1), b"1", f"m:{n}") for n in range(7)])
    with consuming(transport, "g", ["facts"], fail):
        wait_until(lambda: _gauge(transport, "transport_failures", group="g", partition="1") >= 2)
        first = _gauge(transport, "transport_lag_seconds", group="g", partition="1")
        assert 0 < first < 60
        wait_until(lambda: _gauge(transport, "transport_lag_seconds", group="g", partition="1") > first)
    assert _gauge(transport, "transport_lag_records", group="g") == 7
    assert {gauge.name for gauge in transport.gauges()} <= set(CATALOGUE)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_sasl_over_tls(database_url: str, kafka_server: KafkaServer, mechanism: str) -> None:
    secure = KafkaSettings(
        [kafka_server.sasl_ssl],
        security_protocol="SASL_SSL",
        sasl_mechanism=mechanism,
        username=kafka_server.user,
        password=kafka_server.password,
        ca_file=str(kafka_server.ca_file),
        session_seconds=2,
    )
    open_ledger(database_url)
    with ExitStack() as stack:
        kafka = KafkaBroker(database_url, stack, kafka_server.sasl_ssl)
        transport = kafka.adjusted(suite_settings(), secure)
        transport.publish("facts", messages(20))
        with consuming(transport, "g", ["facts"], writes("g")):
            wait_drained(transport, "g")
        assert_accounted(entries(database_url, "g"), messages(20))

        for wrong in (replace(secure, password="of-somebody-else"), replace(secure, ca_file=None)):
            with pytest.raises(Unavailable) as refused:
                kafka.adjusted(suite_settings(), wrong).publish("facts", messages(1))
            assert "of-somebody-else" not in str(refused.value)
        assert "of-the-broker" not in repr(secure)


def test_another_consumer_reads_what_is_published(kafka: KafkaBroker) -> None:
    kafka.transport().publish("facts", [Outgoing(b"k", b"v", "e1", {"type": b"T"}, source_id=7)])
    reader = KafkaConsumer(f"{kafka.prefix}facts", bootstrap_servers=kafka.address, auto_offset_reset="earliest")
    with closing(reader):
        (found,) = reader.poll(timeout_ms=10_000).values()
    assert (found[0].key, found[0].value) == (b"k", b"v")
    assert dict(found[0].headers) == {"type": b"T", "event_id": b"e1", "source_id": b"7"}


class DeafOnce(Clients):
    """Its first member is assigned partitions and never hears of a record: what a lost membership looks like."""

    def __init__(self, kafka: KafkaSettings, log: LogSettings) -> None:
        super().__init__(kafka, log)
        self.members = 0

    def member(self, group: str) -> Any:
        consumer: Any = super().member(group)
        self.members += 1
        if self.members == 1:
            poll = consumer.poll
            consumer.poll = lambda **given: poll(**given) and {}
        return consumer


FORGOTTEN = 4


class Forgetful(Clients):
    """Its member is told nothing about its topics by the first answers, as by one that was on its way before."""

    answers = 0

    def member(self, group: str) -> Any:
        consumer: Any = super().member(group)
        cluster = consumer._cluster  # noqa: SLF001
        update = cluster.update_metadata

        def updated(answer: Any) -> None:
            self.answers += 1
            if self.answers <= FORGOTTEN:
                answer.topics = []
            update(answer)

        cluster.update_metadata = updated
        return consumer


class Curious(Clients):
    """Asks for what there is every second, where the client asks every five minutes."""

    def __init__(self, kafka: KafkaSettings, log: LogSettings) -> None:
        super().__init__(kafka, log)
        self._common["metadata_max_age_ms"] = 1_000


@contextmanager
def working(kafka: KafkaBroker, clients: Clients, settings: KafkaSettings) -> Iterator[None]:
    """One worker of the group g over these clients."""
    log, stop = suite_settings(kafka.prefix), threading.Event()
    handling = Handling("kafka", "g", writes("g"), log, park_keys=False, remember_ids=True)
    names = {log.stored_name("facts"): "facts"}
    worker = Worker(
        kafka.database_url,
        handling,
        names,
        clients,
        Topics(clients, log, settings),
        settings,
        stop=stop,
        max_records=100,
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_a_group_that_stands_still_is_joined_anew(kafka: KafkaBroker) -> None:
    settings = replace(kafka.settings(), stuck_seconds=0.5)
    kafka.transport().publish("facts", messages(50))
    clients = DeafOnce(settings, suite_settings(kafka.prefix))
    with working(kafka, clients, settings):
        wait_until(lambda: len(entries(kafka.database_url, "g")) == 50)
    assert clients.members >= 2, "more of them on a busy machine, where joining takes longer than it is waited for"


def test_topics_that_the_client_was_not_told_of_are_asked_for_again(kafka: KafkaBroker) -> None:
    settings = replace(kafka.settings(), stuck_seconds=3600)
    kafka.transport().publish("facts", messages(50))
    clients = Forgetful(settings, suite_settings(kafka.prefix))
    with working(kafka, clients, settings):
        wait_until(lambda: len(entries(kafka.database_url, "g")) == 50)
    assert clients.answers > FORGOTTEN


def test_a_partition_that_is_added_while_workers_run_is_read(kafka: KafkaBroker) -> None:
    transport, settings = kafka.transport(), kafka.settings()
    transport.publish("facts", messages(10))
    with working(kafka, Curious(settings, suite_settings(kafka.prefix)), settings):
        wait_drained(transport, "g")
        with admin_of(kafka) as admin:
            admin.create_partitions({f"{kafka.prefix}facts": PARTITIONS + 1})
        with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
            wait_until(lambda: len(producer.partitions_for(f"{kafka.prefix}facts")) > PARTITIONS)
            producer.send(f"{kafka.prefix}facts", b"1000", b"theirs", partition=PARTITIONS).get(5)
        wait_until(lambda: len(entries(kafka.database_url, "g")) == 11)
        wait_until(lambda: ("facts", PARTITIONS) in transport.lag("g"))


def test_a_slow_handler_is_no_group_that_stands_still(kafka: KafkaBroker, caplog: pytest.LogCaptureFixture) -> None:
    """A worker has one thread: its other partitions wait for the batch in hand, and joining anew helps nobody."""
    transport = kafka.adjusted(suite_settings(), replace(kafka.settings(), stuck_seconds=0.4))
    busy, done = threading.Event(), threading.Event()

    def handle(conn: psycopg.Connection, records: Sequence[Record]) -> None:
        if any(record.value == b"99" for record in records):
            busy.set()
            done.wait(10)
        enter(conn, "g", records)

    with consuming(transport, "g", ["facts"], handle, workers=2):
        transport.publish("facts", messages(40, keys=40))
        wait_drained(transport, "g")
        caplog.clear()
        transport.publish("facts", [Outgoing(_key_in(1), b"99", "slow")])
        assert busy.wait(10)
        transport.publish("facts", messages(40, keys=40, start=40))
        time.sleep(2)  # several looks of the other worker
        done.set()
        wait_drained(transport, "g")
    assert "none comes" not in caplog.text
    assert len(entries(kafka.database_url, "g")) == 81


def test_each_groups_oldest_record_has_its_own_age(kafka: KafkaBroker) -> None:
    transport = kafka.transport()
    key = _key_in(1)
    transport.publish("facts", [Outgoing(key, b"1", "m:1")])
    with consuming(transport, "late", ["facts"], lambda *_: None):
        wait_drained(transport, "late")
    time.sleep(1)
    transport.publish("facts", [Outgoing(key, b"2", "m:2")])
    with psycopg.connect(kafka.database_url) as conn:
        conn.execute(
            "INSERT INTO log.position (grp, topic_id, part, off) SELECT 'behind', topic_id, part, -1 FROM log.position"
            " WHERE grp = 'late'"
        )
    late, behind = (
        _gauge(transport, "transport_lag_seconds", group=group, partition="1") for group in ("late", "behind")
    )
    assert 0 < late < behind - 0.9
