"""What clients of a server that is killed were promised, and whether it was kept."""

from __future__ import annotations

import gzip
import itertools
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from tests.live import RECORDINGS, Installation, events_of, posts

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
ENABLED_EVERY = 10
"""Every enabled scanner is to see every session from then on: more of them would be a test of speed."""
PATIENT_TURN_SECONDS = 0.5
CATCH_UP_SECONDS = 150
"""Until everything has ended: longer than the lease of a scan job (60 s) that a killed worker has left."""


@dataclass
class Ledger:
    """What the server has accepted: only what a client got an answer for. Clients may share one."""

    scanners: set[str] = field(default_factory=set)
    observed: set[tuple[str, str]] = field(default_factory=set)
    batches: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of the batches in recording POSTs answered with 200, by session id."""


class Clients(threading.Thread):
    """Creates scanners, sends recordings and observes, noting each accepted thing, until the server is gone.

    Every turn records a session of its own, so that there is something to lose at any moment. A ``patient`` one goes on
    through outages until it is told that it is ``enough``. A refusal by 4xx that was not to be expected is a
    ``failure``, and ends it.
    """

    def __init__(self, live: Installation, ledger: Ledger, number: int, *, patient: bool = False) -> None:
        super().__init__(daemon=True)
        self._live = live
        self._patient = patient
        self._ledger = ledger
        self._number = number
        self.enough = threading.Event()
        self.failure: str | None = None
        self.ended_by: OSError | None = None
        """What it took for the end of the server."""

    def run(self) -> None:
        for turn in itertools.count():
            if self.enough.is_set():
                return
            try:
                self._turn(turn)
            except OSError as error:  # killed: what was in hand has no answer, so it is in no ledger
                if self.failure or not self._patient:
                    self.ended_by = error
                    return
            if self._patient:
                self.enough.wait(PATIENT_TURN_SECONDS)

    def _turn(self, turn: int) -> None:
        body = {
            "name": f"client {self._number} turn {turn}",
            "scanner_type": "summarizer",
            "scanner_config": {"prompt": "What happened?"},
            "provider": "builtin",
            "model": "builtin",
            "enabled": turn % ENABLED_EVERY == 0,
        }
        created = self._live.call("POST", "scanners/", body)
        self._expect(created.status, HTTPStatus.CREATED)
        scanner_id = created.body["id"]
        self._ledger.scanners.add(scanner_id)
        session_id = f"session-{self._number}-{turn}"
        token = self._live.credentials["project_token"]
        for raw, query, content_type in recorded_as(session_id, RECORDINGS[turn % 3], token):
            self._expect(self._live.post_recording(raw, query, content_type).status, HTTPStatus.OK)
            self._ledger.batches[session_id] |= {event["uuid"] for event in events_of(raw)}
        for wanted in (session_id, f"missing-{self._number}-{turn}"):
            answer = self._live.call("POST", f"scanners/{scanner_id}/observe/", {"session_id": wanted})
            if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                continue  # so much waits for those who are to do it that no more is accepted
            self._expect(answer.status, HTTPStatus.OK, HTTPStatus.ACCEPTED)
            self._ledger.observed.add((scanner_id, wanted))

    def _expect(self, status: int, *allowed: int) -> None:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise OSError(f"answered {status}")  # going down: not accepted
        if status not in allowed:
            self.failure = f"answered {status}"
            raise OSError(status)


def recorded_as(session_id: str, recording: Path, token: str) -> Iterator[tuple[bytes, str, str]]:
    """As ``posts``, of a session with another id: a visitor who did the same."""
    old, new = recording.name.removesuffix(".jsonl.gz").encode(), session_id.encode()
    for body, query, content_type in posts(recording, token):
        if body[:2] == b"\x1f\x8b":
            yield gzip.compress(gzip.decompress(body).replace(old, new)), query, content_type
        else:
            yield body.replace(old, new), query, content_type


def check(live: Installation, ledger: Ledger) -> None:
    """Everything accepted is there and has ended, once; every enabled scanner has seen what it should have.

    Waits for what is still on its way; each step has what the next one needs to be a question.
    """
    assert ledger.scanners, "the server never answered: the test proves nothing"
    assert ledger.batches, "no recording was ever accepted: the test proves nothing"
    wait_until_none(partial(lost, live, ledger), "batches that were accepted and are not stored")
    wait_until_none(partial(unsettled, live), "sessions that do not settle")
    wait_until_none(partial(unscheduled, live), "settled sessions that an enabled scanner did not see")
    wait_until_none(partial(unended, live, ledger), "observations that have no ending")
    wait_until_none(partial(in_flight, live), "scanners with observations in flight though all have ended")
    assert duplicates(live) == []
    assert counted_twice(live) == []
    known = {scanner["id"] for scanner in pages(live, "scanners/")}
    assert ledger.scanners <= known
    found = [
        (scanner_id, observation["session_id"], observation["status"])
        for scanner_id in known
        for observation in pages(live, f"scanners/{scanner_id}/observations/")
    ]
    times = Counter((scanner_id, session_id) for scanner_id, session_id, _ in found)
    assert ledger.observed <= set(times)
    assert {pair for pair, count in times.items() if count > 1} == set()
    assert [one for one in found if one[2] not in ENDED] == []


def wait_until_none(find: Callable[[], list[Any]], what: str) -> None:
    """Until nothing is found; fails the test after ``CATCH_UP_SECONDS`` with some of what still is."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while found := find():
        assert time.monotonic() < deadline, f"{len(found)} {what}, such as {found[:3]}"
        time.sleep(0.2)


def lost(live: Installation, ledger: Ledger) -> list[tuple[str, str]]:
    """Batches that were accepted and are not stored: session and batch."""
    stored = set(query(live, "SELECT session_id, uuid::text FROM capture.part WHERE environment_id = 1"))
    return [
        (session_id, batch)
        for session_id, batches in ledger.batches.items()
        for batch in batches
        if (session_id, batch) not in stored
    ]


def unsettled(live: Installation) -> list[tuple[Any, ...]]:
    return query(live, "SELECT session_id FROM capture.session WHERE settle_number IS NULL")


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
    )


def unended(live: Installation, ledger: Ledger) -> list[tuple[Any, ...]]:
    """Observations that were accepted or scheduled and have not come to an end: scanner, session and status if any."""
    found = query(live, "SELECT scanner_id::text, session_id, status FROM read_observations.observation")
    there = {(scanner_id, session_id) for scanner_id, session_id, _ in found}
    return [one for one in found if one[2] not in ENDED] + [(*pair, None) for pair in ledger.observed - there]


def in_flight(live: Installation) -> list[tuple[Any, ...]]:
    """Scanners that still hold places of observations under way."""
    return query(live, "SELECT scanner_id, count FROM store.in_flight WHERE count > 0")


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


def counted_twice(live: Installation) -> list[tuple[Any, ...]]:
    """Sessions whose facts were made of another number of batches than they have."""
    return query(
        live,
        """
        SELECT s.session_id, s.message_count, count(p.uuid)
        FROM capture.session s LEFT JOIN capture.part p USING (environment_id, session_id)
        GROUP BY s.environment_id, s.session_id HAVING s.message_count <> count(p.uuid)
        """,
    )


def query(live: Installation, statement: LiteralString, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
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
