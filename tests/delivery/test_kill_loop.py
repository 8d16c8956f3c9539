"""Workers are killed while they deliver: nothing is lost, and what arrives twice arrives with the same id."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg_pool import ConnectionPool
from standardwebhooks.webhooks import Webhook

from commands.actions import Actions
from commands.store.event_log import EventLog
from commands.store.recorder import CHANNEL
from domain.outbound import AllowedHosts
from projections.catalogue import PROJECTIONS
from projections.engine import Runner
from tests.actions.acting import Acting
from tests.delivery.delivering_process import ProcessSettings
from tests.delivery.mail_servers import Mailbox, mail_server
from tests.delivery.reports import reported
from tests.delivery.slack_stand_in import TOKEN, SlackStandIn
from tests.live import ROOT, wait_until
from tests.projections.world import World
from tests.servers.vendors.server import Reply, Seen, VendorServer

ACTIONS = 8
ROUNDS = 2
KILLS = 2
"""In each round: a delivery that has lost its lease a third time ends by itself (architecture 5)."""
ADDRESSES = ["ann@example.org", "bob@example.org"]


def slowly(seen: Seen) -> Reply:
    return Reply({}, after=random.uniform(0, 0.2))


@contextmanager
def projecting(database_url: str) -> Iterator[None]:
    runner = Runner(database_url, PROJECTIONS, EventLog(), CHANNEL)
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        yield
    finally:
        runner.stop()
        thread.join()


def pending(pool: ConnectionPool) -> int:
    with pool.connection() as connection:
        row = connection.execute("SELECT count(*) FROM actions.job WHERE state <> 'done'").fetchone()
    assert row is not None
    return row[0]


def started(settings: ProcessSettings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "tests.delivery.delivering_process", settings.as_argument()]
    return subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})


def killed_again_and_again(pool: ConnectionPool, settings: ProcessSettings) -> None:
    """Each process is killed in the middle of its work; the last one may finish."""
    for kill in range(KILLS + 1):
        before = pending(pool)
        process = started(settings)
        try:
            aim = before - random.randint(2, 6) if kill < KILLS else 0
            wait_until(lambda aim=aim: pending(pool) <= aim, 60, f"{aim} deliveries left")
            time.sleep(random.uniform(0, 0.1) if kill < KILLS else 0)
        finally:
            process.kill()
            process.wait()


@pytest.mark.timeout(240)
def test_nothing_is_lost_and_what_comes_twice_has_the_same_id(
    world: World, pool: ConnectionPool, database_url: str
) -> None:
    acting, slack = Acting(world, pool), SlackStandIn()
    secret = world.webhook_secrets.create(world.admin(), 1).secret
    number, _ = world.integrations.create(world.admin(), 1, "slack", TOKEN)
    with (
        VendorServer([slowly]) as hooks,
        VendorServer([slack]) as vendor,
        mail_server(Mailbox()) as mailbox,
    ):
        allowed = [hooks.url.removeprefix("http://")]
        settings = ProcessSettings(database_url, allowed, f"{vendor.url}/api", f"smtp://127.0.0.1:{mailbox.port}")
        delivery: list[dict[str, Any]] = [
            {"type": "webhook", "url": f"{hooks.url}/hook"},
            {"type": "slack", "integration_id": number, "channel": "#checkout"},
            {"type": "email", "to": ADDRESSES},
        ]
        writing = Actions(world.store, mail=True, allowed_hosts=AllowedHosts.parse(allowed))
        scanner = world.scanner()
        actions = [
            writing.create(world.context(), name=f"Digest {n}", scanner=scanner, delivery_config=delivery).action.id
            for n in range(ACTIONS)
        ]
        acting.catch_up()
        runs: set[str] = set()
        for _ in range(ROUNDS):
            runs |= reported(acting, actions)
            with projecting(database_url):
                killed_again_and_again(pool, settings)
        acting.catch_up()

    found = [acting.run(action, run["id"]) for action in actions for run in acting.runs_of(action)]
    stands = [delivery["status"] for run in found for delivery in run["deliveries"]]
    assert stands == ["succeeded"] * (ROUNDS * ACTIONS * 4)

    bodies: dict[str, set[bytes]] = defaultdict(set)
    for seen in hooks.requests:
        assert Webhook(secret).verify(seen.body, seen.headers)["id"] == seen.headers["webhook-id"]
        bodies[seen.headers["webhook-id"]].add(seen.body)
    assert bodies.keys() == runs
    assert all(len(same) == 1 for same in bodies.values())
    assert {call["metadata"]["event_payload"]["id"] for call in slack.posted} == runs
    letters = {(to, mail["X-Replay-Vision-Run"]): mail["Message-ID"] for to, mail in mailbox.letters}
    assert letters.keys() == {(to, run) for to in ADDRESSES for run in runs}
    assert len(set(letters.values())) == len(letters)
    assert {(to, str(mail["Message-ID"])) for to, mail in mailbox.letters} == {
        (to, str(letter)) for (to, _), letter in letters.items()
    }
    with pool.connection() as connection:
        again = connection.execute("SELECT count(*) FROM actions.job WHERE expiries > 0").fetchone()
    assert again is not None
    assert again[0] > 0, "nobody was killed at work"
