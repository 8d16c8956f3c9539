"""SIGKILL of the whole process tree, PostgreSQL included: nothing accepted is lost, nothing ends twice.

REPLAY_VISION_FAULT_ROUNDS sets the number of rounds (5 unless set; `make faults` runs 20).
"""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

import pytest

from tests.faults.ledger import ROUNDS, SETTINGS, Clients, Ledger, check
from tests.live import Live, wait_until


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_nothing_accepted_is_lost_and_nothing_ends_twice(tmp_path: Path) -> None:
    ledger = Ledger()
    dice = random.Random(20261123)
    live = Live(tmp_path / "home", **SETTINGS)
    for number in range(ROUNDS):
        live.start()
        clients = Clients(live, ledger, number)
        clients.start()
        time.sleep(dice.uniform(0.5, 6.0))
        live.kill()
        clients.join(40)
        assert clients.failure is None, clients.failure
    live.start()
    try:
        check(live, ledger)
    finally:
        live.stop()
        live.destroy()


@pytest.mark.timeout(240)
def test_a_postgresql_that_dies_alone_is_started_again(tmp_path: Path) -> None:
    with Live(tmp_path / "home", **SETTINGS) as live:
        ledger = Ledger()
        clients = Clients(live, ledger, 0)
        clients.start()
        wait_until(lambda: ledger.observed or not clients.is_alive(), 60, "nothing observed")
        assert clients.is_alive(), clients.ended_by
        live.postmaster().kill()
        time.sleep(3)
        clients.enough.set()
        clients.join(60)
        assert not clients.is_alive()
        assert clients.failure is None, clients.failure
        wait_until(partial(answers, live), 90, "the server did not come back")
        check(live, ledger)


def answers(live: Live) -> bool:
    try:
        return live.call("GET", "scanners/").status == 200
    except OSError:
        return False
