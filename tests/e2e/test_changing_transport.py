"""From the log to Kafka and back, from the command line: nothing is left behind unnoticed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.settings import RECORD_BYTES_OF
from consumers.transports.kafka.transport import KafkaTransport
from consumers.transports.port import Outgoing
from tests.apart import COMMAND
from tests.live import ROOT, bare_environment, free_port, wait_until
from tests.servers.kafka import KafkaServer
from tests.transports.brokers import KafkaBroker, suite_settings

pytestmark = [pytest.mark.timeout(240), pytest.mark.broker]


class Operator:
    def __init__(self, database_url: str, home: Path, server: KafkaServer) -> None:
        self._home = home
        self._given = {"DATABASE_URL": database_url, "HOME": str(home), "SECRET_KEY": "k" * 40}
        self.prefix = f"{home.name}."[-40:]
        self.kafka = {"KAFKA_BOOTSTRAP_SERVERS": server.bootstrap, "KAFKA_TOPIC_PREFIX": self.prefix}
        self.log = {"KAFKA_TOPIC_PREFIX": self.prefix}

    def run(self, settings: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        given = {f"REPLAY_VISION_{name}": value for name, value in {**self._given, **settings}.items()}
        return subprocess.run(
            [*COMMAND, *words],
            cwd=ROOT,
            env={**bare_environment(), **given},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def does(self, settings: dict[str, str], *words: str) -> str:
        done = self.run(settings, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def working(self, settings: dict[str, str]) -> Iterator[None]:
        """A worker with all roles, which ends in order."""
        given = {f"REPLAY_VISION_{name}": value for name, value in {**self._given, **settings}.items()}
        beat = self._home / "health"
        with subprocess.Popen([*COMMAND, "worker"], cwd=ROOT, env={**bare_environment(), **given}) as worker:
            try:
                wait_until(lambda: worker.poll() is not None or list(beat.glob(f"*-{worker.pid}")), 30, "a worker")
                yield
            finally:
                worker.terminate()
            assert worker.wait(20) == 0

    def starts(self, settings: dict[str, str]) -> None:
        with self.working(settings):
            pass

    def refused(self, settings: dict[str, str], *words: str) -> str:
        done = self.run(settings, *words)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
        return done.stderr


@pytest.fixture
def operator(database_url: str, tmp_path: Path, kafka_server: KafkaServer) -> Operator:
    return Operator(database_url, tmp_path, kafka_server)


def test_an_installation_moves_to_kafka_and_back(
    operator: Operator, database_url: str, kafka_server: KafkaServer
) -> None:
    operator.does(operator.log, "admin", "bootstrap")
    assert "this command is set to Kafka" in operator.refused(operator.kafka, "dead-letters", "list")
    operator.starts(operator.kafka)
    operator.does(operator.kafka, "dead-letters", "list")

    assert "runs on Kafka" in operator.refused(operator.log, "worker", "--role", "relay")
    other = {**operator.kafka, "KAFKA_TOPIC_PREFIX": "other."}
    assert f"begin with '{operator.prefix}'" in operator.refused(other, "serve")
    assert "KAFKA_BOOTSTRAP_SERVERS" in operator.refused(operator.log, "admin", "leave-kafka")

    with ExitStack() as stack:
        kafka = KafkaBroker(database_url, stack, kafka_server.bootstrap, prefix=operator.prefix)
        modest = replace(kafka.settings(), record_bytes_of=RECORD_BYTES_OF)
        transport: Any = kafka.adjusted(suite_settings(operator.prefix), modest)
        assert isinstance(transport, KafkaTransport)
        transport.register("scanning", ["events"])
        transport.publish("events", [Outgoing(b"k", b"v", f"e{n}") for n in range(3)])
    assert "groups are behind on Kafka" in operator.refused(operator.kafka, "admin", "leave-kafka", "--wait", "1")

    # The relay and the ticker of the worker would go on publishing.
    with operator.working(operator.kafka):
        assert "transport: postgres" in operator.does(operator.kafka, "admin", "leave-kafka")
        assert _behind(database_url, operator.prefix, kafka_server) == 0
    assert _behind(database_url, operator.prefix, kafka_server) == 0
    assert "not a relayed event" in operator.does(operator.log, "dead-letters", "list"), "letters go along"
    operator.starts(operator.log)


def test_what_no_worker_has_ever_looked_at_is_not_left(
    operator: Operator, database_url: str, kafka_server: KafkaServer
) -> None:
    operator.does(operator.kafka, "admin", "bootstrap")
    with ExitStack() as stack:
        kafka = KafkaBroker(database_url, stack, kafka_server.bootstrap, prefix=operator.prefix)
        modest = replace(kafka.settings(), record_bytes_of=RECORD_BYTES_OF)
        kafka.adjusted(suite_settings(operator.prefix), modest).publish("snapshots", [Outgoing(b"k", b"v", "e")])
    said = operator.refused(operator.kafka, "admin", "leave-kafka", "--wait", "1")
    assert "groups are behind on Kafka in 1 partitions: capture snapshots" in said


def test_brokers_that_will_not_come_back_are_left(operator: Operator) -> None:
    gone = {**operator.kafka, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}
    operator.does(gone, "admin", "bootstrap")
    assert "transport: postgres" in operator.does(gone, "admin", "leave-kafka", "--lost")
    operator.starts(operator.log)


def _behind(database_url: str, prefix: str, server: KafkaServer) -> float:
    """Records that a group has not handled."""
    with ExitStack() as stack:
        transport = KafkaBroker(database_url, stack, server.bootstrap, prefix=prefix).transport()
        return sum(gauge.value for gauge in transport.gauges() if gauge.name == "transport_lag_records")
