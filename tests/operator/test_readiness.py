"""What /readyz says about consumer groups that do not get on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from api.bootstrap import choose_transport, runtime
from api.settings import Settings
from api.wiring import services_for
from consumers.transports.installation import quieten_kafka
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from tests.live import free_port
from tests.transports.brokers import PostgresBroker, consuming
from tests.transports.ledger import messages, wait_until


@pytest.fixture
def installed(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        install(connection, PROJECTIONS)
    return database_url


def test_a_partition_that_keeps_failing_is_a_warning_and_then_a_reason(installed: str, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the store is away")

    with runtime(Settings(home=tmp_path), installed, b"of this test") as running, ExitStack() as stack:
        look = services_for(running).readiness
        log = PostgresBroker(installed, stack).transport()
        log.publish("facts", messages(1))
        with consuming(log, "g", ["facts"], fail):
            wait_until(lambda: bool(look().warnings), what="a warning")
            first = look()
            assert first.ready
            assert "times in a row: g facts" in first.warnings[0]
            wait_until(lambda: not look().ready, what="a reason")
            assert "times in a row: g facts" in look().reasons[0]
        with consuming(log, "g", ["facts"], lambda *_: None):
            wait_until(lambda: look().ready and not look().warnings, what="all well")


def test_a_server_that_was_left_on_kafka_is_not_ready(installed: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka_bootstrap_servers=[f"127.0.0.1:{free_port()}"])
    with runtime(settings, installed, b"of this test") as running:
        choose_transport(running)
        with running.pool.connection() as connection:
            quieten_kafka(connection, 60)
        assert "this installation leaves Kafka" in services_for(running).readiness().reasons[0]
