"""SIGKILL of the whole process tree, PostgreSQL included: nothing accepted is lost, nothing ends twice.

REPLAY_VISION_FAULT_ROUNDS sets the number of rounds (5 unless set; `make faults` runs 20).
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from api.embedded_postgres import EmbeddedPostgres
from tests.live import RECORDINGS, Live, events_of, posts, wait_until

ROUNDS = int(os.environ.get("REPLAY_VISION_FAULT_ROUNDS", "5"))
SETTINGS = {
    "settle_seconds": "3",
    "sweep_seconds": "1",
    "min_duration_seconds": "1",
    "min_active_seconds": "0",
    "monthly_quota": "100000",
}
ENDINGS = ("ObservationSucceeded", "ObservationFailed", "ObservationIneligible")
ENDED = ("succeeded", "failed", "ineligible")


@dataclass
class Ledger:
    """What the server has accepted: only what a client got an answer for."""

    scanners: set[str] = field(default_factory=set)
    observed: set[tuple[str, str]] = field(default_factory=set)
    bodies: Counter[str] = field(default_factory=Counter)
    """Recording POSTs answered with 200, by session id."""


class Clients(threading.Thread):
    """Creates scanners, sends recordings and observes, noting each accepted thing, until the server is gone."""

    def __init__(self, live: Live, ledger: Ledger, round_number: int) -> None:
        super().__init__(daemon=True)
        self._live = live
        self._ledger = ledger
        self._round = round_number
        self.enough = threading.Event()
        self.failure: str | None = None

    def run(self) -> None:
        try:
            for turn in range(1000):
                if self.enough.is_set():
                    return
                self._turn(turn)
        except OSError:
            return  # killed: what was in hand has no answer, so it is in no ledger

    def _turn(self, turn: int) -> None:
        body = {
            "name": f"round {self._round} turn {turn}",
            "scanner_type": "summarizer",
            "scanner_config": {"prompt": "What happened?"},
            "provider": "builtin",
            "model": "builtin",
            "enabled": turn % 3 == 0,
        }
        created = self._live.call("POST", "scanners/", body)
        self._expect(created.status, 201)
        scanner_id = created.body["id"]
        self._ledger.scanners.add(scanner_id)
        recording = RECORDINGS[turn % 3]
        session_id = recording.name.removesuffix(".jsonl.gz")
        for raw, query, content_type in posts(recording, self._live.credentials["project_token"]):
            self._expect(self._live.post_recording(raw, query, content_type).status, 200)
            self._ledger.bodies[session_id] += 1
        for wanted in (session_id, f"missing-{self._round}-{turn}"):
            answer = self._live.call("POST", f"scanners/{scanner_id}/observe/", {"session_id": wanted})
            self._expect(answer.status, 200, 202)
            self._ledger.observed.add((scanner_id, wanted))

    def _expect(self, status: int, *allowed: int) -> None:
        if status >= 500:
            raise OSError(status)  # going down: not accepted
        if status not in allowed:
            self.failure = f"answered {status}"
            raise OSError(status)


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


def check(live: Live, ledger: Ledger) -> None:
    assert ledger.scanners, "the server never answered: the test proves nothing"
    known = {scanner["id"] for scanner in pages(live, "scanners/")}
    assert ledger.scanners <= known
    for scanner_id, session_id in ledger.observed:
        wait_until(partial(ended, live, scanner_id, session_id), 150, f"{scanner_id} of {session_id} has no ending")
    for scanner_id in known:
        for found in pages(live, f"scanners/{scanner_id}/observations/"):
            wait_until(partial(ended, live, scanner_id, found["session_id"]), 150, f"{found['id']} has no ending")
    wait_until(lambda: not unscheduled(live), 150, f"settled sessions that no enabled scanner saw: {unscheduled(live)}")
    assert duplicates(live) == []
    for session_id, bodies in ledger.bodies.items():
        if bodies >= sum(1 for _ in posts(recording_of(session_id), "x")):
            assert stored_messages(live, session_id) == messages_in(session_id)


def ended(live: Live, scanner_id: str, session_id: str) -> bool:
    page = live.call("GET", f"scanners/{scanner_id}/observations/?session_id={session_id}").body
    assert page["count"] <= 1
    return bool(page["results"]) and page["results"][0]["status"] in ENDED


def unscheduled(live: Live) -> list[tuple[Any, ...]]:
    """Pairs of an enabled scanner and an eligible session that settled after its creation, without an observation.

    A second of margin: what settled in the moment of creation may belong to either side.
    """
    return query(
        live,
        """
        SELECT s.id, t.session_id FROM read_scanners.scanner s
        JOIN capture.settlement t USING (environment_id)
        JOIN capture.session c USING (environment_id, session_id)
        WHERE s.enabled AND s.deleted_at IS NULL AND t.settled_at > s.created_at + interval '1 second'
          AND c.last_timestamp - c.first_timestamp >= 1000 AND c.active_milliseconds > 0
          AND NOT EXISTS (SELECT FROM read_observations.observation o
                          WHERE o.environment_id = s.environment_id AND o.scanner_id = s.id
                            AND o.session_id = t.session_id)
        """,
        (),
    )


def duplicates(live: Live) -> list[tuple[Any, ...]]:
    """Streams with more endings than runs."""
    return query(
        live,
        """
        SELECT originator_id, count(*) FILTER (WHERE topic = ANY(%s)) AS endings,
               1 + count(*) FILTER (WHERE topic = 'ObservationRetried') AS runs
        FROM store.events GROUP BY originator_id
        HAVING count(*) FILTER (WHERE topic = ANY(%s)) > 1 + count(*) FILTER (WHERE topic = 'ObservationRetried')
        """,
        (list(ENDINGS), list(ENDINGS)),
    )


def stored_messages(live: Live, session_id: str) -> int:
    """Batches of the session that capture has stored; waits for those still on their way."""
    expected = messages_in(session_id)

    def count() -> int:
        statement = "SELECT count(*) FROM capture.part WHERE environment_id = 1 AND session_id = %s"
        return query(live, statement, (session_id,))[0][0]

    wait_until(lambda: count() >= expected, 60, f"{session_id} lacks batches")
    return count()


def messages_in(session_id: str) -> int:
    """Batches that a sample holds."""
    return len({event["uuid"] for body, _, _ in posts(recording_of(session_id), "x") for event in events_of(body)})


def recording_of(session_id: str) -> Path:
    return next(recording for recording in RECORDINGS if recording.name.startswith(session_id))


def query(live: Live, statement: LiteralString, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    with psycopg.connect(EmbeddedPostgres(live.home).url) as connection:
        return connection.execute(statement, values).fetchall()


def pages(live: Live, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = live.call("GET", f"{path}?limit=500&offset={len(found)}")
        assert answer.status == 200, answer.body
        found += answer.body["results"]
        if answer.body["next"] is None:
            return found


@pytest.mark.timeout(240)
def test_a_postgresql_that_dies_alone_is_started_again(tmp_path: Path) -> None:
    with Live(tmp_path / "home", **SETTINGS) as live:
        ledger = Ledger()
        clients = Clients(live, ledger, 0)
        clients.start()
        wait_until(lambda: ledger.observed, 60, "nothing observed")
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
