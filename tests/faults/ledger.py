"""What clients of a server that is killed were promised, and whether it was kept."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from tests.live import RECORDINGS, Installation, events_of, posts, wait_until

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
    bodies: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Recording POSTs answered with 200, by session id and place in the recording."""


class Clients(threading.Thread):
    """Creates scanners, sends recordings and observes, noting each accepted thing, until the server is gone.

    A ``patient`` one goes on through outages until it has done ``enough``.
    """

    def __init__(self, live: Installation, ledger: Ledger, round_number: int, *, patient: bool = False) -> None:
        super().__init__(daemon=True)
        self._live = live
        self._patient = patient
        self._ledger = ledger
        self._round = round_number
        self.enough = threading.Event()
        self.failure: str | None = None

    def run(self) -> None:
        for turn in range(1000):
            if self.enough.is_set():
                return
            try:
                self._turn(turn)
            except OSError:  # killed: what was in hand has no answer, so it is in no ledger
                if self.failure or not self._patient:
                    return
                self.enough.wait(0.2)

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
        sent = posts(recording, self._live.credentials["project_token"])
        for number, (raw, query, content_type) in enumerate(sent):
            self._expect(self._live.post_recording(raw, query, content_type).status, 200)
            self._ledger.bodies[session_id].add(number)
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


def check(live: Installation, ledger: Ledger) -> None:
    """Everything accepted is there and has ended, once; every enabled scanner has seen what it should have."""
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
        if len(bodies) == sum(1 for _ in posts(recording_of(session_id), "x")):
            assert stored_messages(live, session_id) == messages_in(session_id)


def ended(live: Installation, scanner_id: str, session_id: str) -> bool:
    page = live.call("GET", f"scanners/{scanner_id}/observations/?session_id={session_id}").body
    assert page["count"] <= 1
    return bool(page["results"]) and page["results"][0]["status"] in ENDED


def unscheduled(live: Installation) -> list[tuple[Any, ...]]:
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


def duplicates(live: Installation) -> list[tuple[Any, ...]]:
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


def stored_messages(live: Installation, session_id: str) -> int:
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


def query(live: Installation, statement: LiteralString, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    with psycopg.connect(live.database_url) as connection:
        return connection.execute(statement, values).fetchall()


def pages(live: Installation, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = live.call("GET", f"{path}?limit=500&offset={len(found)}")
        assert answer.status == 200, answer.body
        found += answer.body["results"]
        if answer.body["next"] is None:
            return found
