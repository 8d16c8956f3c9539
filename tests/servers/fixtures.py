"""Real servers as fixtures. One of each kind serves the whole test session; a test that breaks one takes its own.

Tests that ask for one carry its marker, and are skipped with a reason on a machine that cannot have it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import uuid4

import pytest

from tests.servers.cutting import Cut
from tests.servers.kafka import KafkaServer, Way
from tests.servers.locking import alone, claimed
from tests.servers.missing import ServerUnavailable, give_up
from tests.servers.s3 import S3Server
from tests.servers.server import Server

MARKERS = {
    "kafka_server": "broker",
    "own_kafka_server": "broker",
    "s3_server": "s3",
    "own_s3_server": "s3",
    "chromium": "browser",
}
"""Fixture, also when asked for by another fixture, and the marker of the tests that ask."""

AnyServer = TypeVar("AnyServer", bound=Server)


class CutKafka(NamedTuple):
    """The session's broker as seen through a proxy of the test's own; clients never learn another way to it."""

    bootstrap: str
    cut: Cut


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests are selected, counted and required by marker, which nobody has to remember to write."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKERS:
                item.add_marker(MARKERS[fixture])


@pytest.fixture(scope="session")
def kafka_server(session_folder: Path) -> KafkaServer:
    """The session's broker. It is nobody's own: never stopped, and shared by topics and groups with names of their own.

    For the way that goes wrong there are `kafka_cut` and `own_kafka_server`.
    """
    return _shared(KafkaServer(session_folder / "kafka"), "broker")


@pytest.fixture
def kafka_cut(kafka_server: KafkaServer) -> Iterator[CutKafka]:
    """The session's broker through a proxy that only this test cuts and stalls."""
    with _free_way(kafka_server) as way, Cut(way.proxy, way.listener) as cut:
        yield CutKafka(cut.address, cut)


@pytest.fixture
def own_kafka_server(session_folder: Path) -> Iterator[KafkaServer]:
    """A broker that the test may kill, freeze and start again; costs three seconds. Its listeners for proxies too."""
    with _own(KafkaServer(_new_folder(session_folder, "kafka")), "broker") as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(session_folder: Path) -> S3Server:
    """The session's S3-compatible server. Tests make buckets with names of their own."""
    return _shared(S3Server(session_folder / "s3"), "s3")


@pytest.fixture
def own_s3_server(session_folder: Path) -> Iterator[S3Server]:
    """An S3-compatible server that the test may kill, freeze and start again; costs a second."""
    with _own(S3Server(_new_folder(session_folder, "s3")), "s3") as server:
        yield server


def _shared(server: AnyServer, marker: str) -> AnyServer:
    """Whoever comes first starts it; the session ends it, as the process that came first may end before the others."""
    folder = server.folder
    refused = folder.with_name(f"{folder.name}.unavailable")
    with alone(folder.with_name(f"{folder.name}.lock")):
        if not server.running and not refused.exists():
            try:
                server.start()
            except ServerUnavailable as error:
                # The others need not find out again: Maven without a network takes its time to give up.
                refused.write_text(str(error))
    if refused.exists():
        give_up(marker, refused.read_text())
    return server


@contextmanager
def _own(server: AnyServer, marker: str) -> Generator[AnyServer]:
    try:
        try:
            server.start()
        except ServerUnavailable as error:
            give_up(marker, str(error))
        yield server
    finally:
        server.destroy()


def _new_folder(session_folder: Path, kind: str) -> Path:
    return session_folder / f"{kind}-{uuid4().hex[:8]}"


@contextmanager
def _free_way(server: KafkaServer) -> Generator[Way]:
    """One that no other test process uses now. A lock says so: the port is free too while its owner has cut it off."""
    for number, way in enumerate(server.ways()):
        with claimed(server.folder / f"way-{number}.lock") as free:
            if free:
                yield way
                return
    raise RuntimeError("all ways to the broker are taken: more test processes than listeners?")
