"""Roles apart on Kafka, two of each, while anything dies at random moments: the ledger must be right in the end.

REPLAY_VISION_FAULT_ROUNDS sets the number of rounds; each kind of fault comes once in five.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from api.embedded_postgres import EmbeddedPostgres, Tuning
from tests.apart import ROLES, SERVE, Apart
from tests.faults.ledger import ROUNDS, SETTINGS, Clients, Ledger, check
from tests.live import postmaster_of, wait_until
from tests.servers.kafka import KafkaServer

DURABLE = Tuning(shared_buffers="64MB", max_connections=300)
LONGEST_SECONDS = 5.0
ZOMBIE_SECONDS = 13.0
"""Longer than a member of a Kafka group may be silent."""


@dataclass
class Site:
    """An installation, what it stands on, and the dice."""

    apart: Apart
    home: Path
    """Of the database."""
    postgres: EmbeddedPostgres
    broker: KafkaServer
    dice: random.Random

    def pause(self, longest: float = LONGEST_SECONDS) -> None:
        time.sleep(self.dice.uniform(0.5, longest))

    def a_member(self) -> None:
        """One process dies; its other copy goes on."""
        self.apart.kill(*self.dice.choice(self.apart.members))
        self.pause()

    def a_role(self) -> None:
        """Nobody is left to do a role's work."""
        role = self.dice.choice((*ROLES, SERVE))
        for member in self.apart.members:
            if member[0] == role:
                self.apart.kill(*member)
        self.pause()

    def the_broker(self) -> None:
        if self.dice.random() < 0.5:
            self.broker.kill()
            self.pause()
            self.broker.start()
        else:
            self.broker.freeze()
            self.pause(2 * LONGEST_SECONDS)
            self.broker.thaw()

    def the_database(self) -> None:
        postmaster = postmaster_of(self.home)
        for process in (postmaster, *postmaster.children(recursive=True)):
            process.kill()
        postmaster.wait(20)
        self.pause()
        self.postgres.start()

    def a_zombie(self) -> None:
        """A worker sleeps until it has been replaced, and then goes on where it was."""
        member = self.dice.choice([member for member in self.apart.members if member[0] != SERVE])
        self.apart.freeze(*member)
        time.sleep(ZOMBIE_SECONDS)
        self.apart.thaw(*member)


FAULTS: tuple[Callable[[Site], None], ...] = (
    Site.a_member,
    Site.a_role,
    Site.the_broker,
    Site.the_database,
    Site.a_zombie,
)


@pytest.fixture
def site(own_kafka_server: KafkaServer, tmp_path: Path) -> Iterator[Site]:
    home = Path(tempfile.mkdtemp(prefix="replay-vision-faults-"))
    postgres = EmbeddedPostgres(home, DURABLE)
    try:
        url = postgres.start()
        settings = {**SETTINGS, "kafka_bootstrap_servers": own_kafka_server.bootstrap}
        with Apart(tmp_path, url, copies=2, **settings) as apart:
            yield Site(apart, home, postgres, own_kafka_server, random.Random(20261127))
    finally:
        postgres.destroy()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.timeout(300 + 90 * ROUNDS)
def test_whatever_dies_nothing_accepted_is_lost_and_nothing_is_done_twice(site: Site) -> None:
    ledger = Ledger()
    clients = [Clients(site.apart, ledger, number, patient=True) for number in range(2)]
    for client in clients:
        client.start()
    faults: list[Callable[[Site], None]] = []
    for _ in range(ROUNDS):
        if not faults:
            faults = site.dice.sample(FAULTS, len(FAULTS))
        faults.pop()(site)
        site.apart.revive()
        site.apart.wait_until_ready()
        assert site.apart.dead() == {}, "a process ended that nobody ended"
    for client in clients:
        client.enough.set()
    for client in clients:
        client.join(90)
        assert not client.is_alive()
        assert client.failure is None, client.failure
    check(site.apart, ledger)
    with psycopg.connect(site.apart.database_url) as connection:
        assert connection.execute("SELECT grp, topic, error FROM log.dead_letter").fetchall() == []
    wait_until(lambda: _behind(site.apart) == 0, 90, "records that a group has not handled")


def _behind(apart: Apart) -> float:
    """Records of all groups, from /metrics; ticks come all the time and may be on their way."""
    lines = apart.metrics().splitlines()
    lag = [line for line in lines if line.startswith("replay_vision_transport_lag_records{")]
    assert lag, "no lag is measured"
    return sum(float(line.rsplit(" ", 1)[1]) for line in lag if 'topic="ticks"' not in line)
