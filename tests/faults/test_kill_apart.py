"""Roles apart on Kafka, two of each, while anything dies at random moments: the ledger must be right in the end.

REPLAY_VISION_FAULT_ROUNDS sets the number of rounds; each kind of fault comes once in five, and some on top.
"""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from api.embedded_postgres import EmbeddedPostgres, Tuning
from api.roles import ticks
from tests.apart import ROLES, SERVE, Apart
from tests.faults.ledger import ROUNDS, SETTINGS, Clients, Ledger, check, query
from tests.live import postmaster_of, wait_until
from tests.servers.kafka import KafkaServer

DURABLE = Tuning(shared_buffers="64MB", max_connections=300)
LONGEST_SECONDS = 5.0
ZOMBIE_SECONDS = 13.0
"""Longer than a member of a Kafka group may be silent."""
LAGS = ("replay_vision_transport_lag_records{", "replay_vision_relay_lag_positions")


@dataclass
class Site:
    """An installation, what it stands on, and the dice."""

    apart: Apart
    home: Path
    """Of the database."""
    postgres: EmbeddedPostgres
    broker: KafkaServer
    dice: random.Random

    def pause(self) -> None:
        time.sleep(self.dice.uniform(0.5, LONGEST_SECONDS))

    @contextmanager
    def a_member(self) -> Generator[None]:
        """One process dies; its other copy goes on."""
        self.apart.kill(*self.dice.choice(self.apart.running))
        yield

    @contextmanager
    def a_role(self) -> Generator[None]:
        """Nobody is left to do a role's work."""
        role = self.dice.choice((*ROLES, SERVE))
        for member in self.apart.running:
            if member[0] == role:
                self.apart.kill(*member)
        yield

    @contextmanager
    def the_broker(self) -> Generator[None]:
        """It dies and comes back with what it has on disk, or it keeps everybody waiting."""
        if self.dice.random() < 0.5:
            self.broker.kill()
            yield
            self.broker.start()
        else:
            self.broker.freeze()
            yield
            self.broker.thaw()

    @contextmanager
    def the_database(self) -> Generator[None]:
        """Every process of it dies at once."""
        postmaster = postmaster_of(self.home)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):  # a connection's process that was ending anyway
                process.kill()
        psutil.wait_procs(family, timeout=20)
        yield
        self.postgres.start()

    @contextmanager
    def a_zombie(self) -> Generator[None]:
        """A worker sleeps until it has been replaced, and then goes on where it was."""
        member = self.dice.choice([member for member in self.apart.running if member[0] != SERVE])
        self.apart.freeze(*member)
        until = time.monotonic() + ZOMBIE_SECONDS
        yield
        time.sleep(max(0.0, until - time.monotonic()))
        if member in self.apart.running:  # not killed in its sleep
            self.apart.thaw(*member)


Fault = Callable[[Site], AbstractContextManager[None]]
"""Strikes when it is entered, and is over when it is left; who was killed is started again by ``Apart.revive``."""

FAULTS: tuple[Fault, ...] = (
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
    for faults in itertools.islice(rounds(site.dice), ROUNDS):
        site.pause()
        with ExitStack() as over:
            for fault in faults:
                over.enter_context(fault(site))
            site.pause()
        assert site.apart.dead() == {}, "a process ended that nobody ended"
        site.apart.revive()
    site.apart.wait_until_ready()
    for client in clients:
        client.enough.set()
    for client in clients:
        client.join(90)
        assert not client.is_alive()
        assert client.failure is None, client.failure
    check(site.apart, ledger)
    assert query(site.apart, "SELECT grp, topic, error FROM log.dead_letter") == []
    assert query(site.apart, "SELECT grp, part, last_error FROM log.position WHERE stopped_at IS NOT NULL") == []
    wait_until(lambda: _behind(site.apart) == 0, 90, "records that a group has not handled")
    site.apart.wait_until_ready()
    assert site.apart.dead() == {}, "a process ended that nobody ended"


def rounds(dice: random.Random) -> Iterator[list[Fault]]:
    """Each kind of fault in turn, in another order every time; half of them with one more on top."""
    while True:
        for first in dice.sample(FAULTS, len(FAULTS)):
            others = [fault for fault in FAULTS if fault is not first]
            yield [first, *dice.sample(others, dice.randint(0, 1))]


TICKS = len(ticks(1, 1))
"""Kinds of ticks."""


def _behind(apart: Apart) -> float:
    """Records that groups have not handled, and events that the relay has not published, from /metrics.

    Ticks come all the time, those of several lengths at once: a group is not behind while there is one of each.
    """
    found = [line.rsplit(" ", 1) for line in apart.metrics().splitlines() if line.startswith(LAGS)]
    assert any(name.startswith(LAGS[0]) for name, _ in found), "no lag is measured"
    return sum(max(0.0, float(value) - (TICKS if 'topic="ticks"' in name else 0)) for name, value in found)
