"""A change of transport or prefix leaves no record behind, and two installations share no topics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from consumers.transports.installation import Unsafe, installation_id, leave_kafka, quieten_kafka, settle_on
from consumers.transports.port import Unavailable
from consumers.transports.settings import LogSettings
from tests.transports.brokers import KafkaBroker, PostgresBroker, consuming
from tests.transports.ledger import entries, messages, wait_drained, wait_until, writes


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


def test_the_first_settings_are_noted_and_may_be_repeated(conn: psycopg.Connection) -> None:
    for _ in range(2):
        settle_on(conn, "postgres", "vision.")
    assert installation_id(conn) == installation_id(conn)


def test_an_installation_may_grow_into_kafka_and_not_back_by_itself(conn: psycopg.Connection) -> None:
    settle_on(conn, "postgres", "vision.")
    settle_on(conn, "kafka", "vision.")
    with pytest.raises(Unsafe, match="leave-kafka"):
        settle_on(conn, "postgres", "vision.")
    with pytest.raises(Unsafe, match=r"begin with 'vision\.'"):
        settle_on(conn, "kafka", "other.")
    settle_on(conn, "kafka", "vision.")
    with pytest.raises(Unsafe, match="too long"):
        leave_kafka(conn)
    quieten_kafka(conn, 60)
    leave_kafka(conn)
    settle_on(conn, "postgres", "vision.")
    with pytest.raises(Unsafe, match="does not run on Kafka"):
        quieten_kafka(conn, 60)


def test_another_prefix_waits_for_records_that_no_group_has_seen(conn: psycopg.Connection, database_url: str) -> None:
    settle_on(conn, "postgres", "old.")
    with ExitStack() as stack:
        PostgresBroker(database_url, stack).adjusted(LogSettings(prefix="old.")).publish("facts", messages(1))
    with pytest.raises(Unsafe, match="1 partitions"):
        settle_on(conn, "kafka", "new.")


def test_another_prefix_waits_until_the_log_is_handled(conn: psycopg.Connection, database_url: str) -> None:
    settle_on(conn, "postgres", "old.")
    with ExitStack() as stack:
        transport = PostgresBroker(database_url, stack).adjusted(LogSettings(prefix="old."))
        with consuming(transport, "g", ["facts"], lambda *_: None):
            transport.publish("facts", messages(3))
            wait_drained(transport, "g")
        transport.publish("facts", messages(3, start=3))
        for changed in ("postgres", "kafka"):
            with pytest.raises(Unsafe, match=r"begin with 'old\.' are not handled"):
                settle_on(conn, changed, "new.")
        with consuming(transport, "g", ["facts"], lambda *_: None):
            wait_drained(transport, "g")
    settle_on(conn, "kafka", "new.")


@pytest.mark.broker
def test_topics_of_another_installation_are_neither_written_nor_read(
    kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    kafka.transport().publish("facts", messages(5))
    with psycopg.connect(kafka.database_url, autocommit=True) as conn:
        conn.execute("UPDATE log.installation SET id = gen_random_uuid()")
    other = kafka.transport()
    with pytest.raises(Unavailable, match="belong to another installation"):
        other.publish("facts", messages(5))
    with consuming(other, "g", ["facts"], writes("g")):
        wait_until(lambda: caplog.text.count("belong to another installation") >= 2)
    assert not entries(kafka.database_url, "g")
