"""Findings of scanners with `emits_signals` come to the topic `signals`, each once: engine 4.5."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from commands.store.application import Store
from commands.store.event_log import EventLog
from consumers.relay import outgoing
from consumers.signals import GROUP, TOPIC, Signals
from consumers.transports.port import Record
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from tests.projections.world import World, catch_up
from tests.transports.brokers import PostgresBroker, consuming
from tests.transports.ledger import wait_until

FOUND: dict[str, Any] = {"problem_type": "bug", "start_time": 40.0, "end_time": 48.5, "confidence": 0.9}
TEXT = {"headline": "Card refused", "description": "Two cards were declined."}


class Publishing:
    """A world whose events are relayed, and everything that came to the topic of signals."""

    def __init__(self, database_url: str, pool: ConnectionPool, world: World, stack: ExitStack) -> None:
        self.world = world
        self.pool = pool
        self.transport = PostgresBroker(database_url, stack).transport()
        self.signals = Signals(pool, self.transport, world.clock)
        self.heard: list[Record] = []
        stack.enter_context(consuming(self.transport, "other", [TOPIC], lambda _, records: self.heard.extend(records)))

    def observe(self, session_id: str, found: Sequence[dict[str, Any]], texts: Sequence[dict[str, Any]]) -> UUID:
        scanner_id = self.world.scanner(session_id, emits_signals=True)
        (observation_id,) = self.world.observe(scanner_id, session_id)
        lease = self.world.start(observation_id, distinct_id="visitor-81")
        private = {"reasoning": "R.", "reasoning_segments": [], "findings": list(texts)}
        self.world.succeed(lease, private=private, findings=list(found))
        return observation_id

    def relay(self, *, repeated: int = 1) -> None:
        """Everything that was recorded, as the relay does after so many crashes."""
        with self.pool.connection() as connection:
            catch_up(connection)
            rows = list(EventLog().read_raw(connection, 0, 1000))
        for _ in range(repeated):
            self.transport.publish("events", [outgoing(row) for row in rows])

    def ids(self) -> list[str]:
        return [record.event_id for record in self.heard]


@pytest.fixture
def publishing(database_url: str, pool: ConnectionPool) -> Iterator[Publishing]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert install(connection, PROJECTIONS) == []
    store = Store(database_url)
    with ExitStack() as stack:
        yield Publishing(database_url, pool, World.create(store), stack)
    store.close()


def test_each_finding_is_published_once_whatever_is_repeated(publishing: Publishing) -> None:
    first = publishing.observe("s-1", [FOUND, {**FOUND, "problem_type": "ux_friction"}], [TEXT, TEXT])
    publishing.observe("s-2", [], [])
    publishing.relay()
    crashes = [2]

    def handle(connection: psycopg.Connection, records: Sequence[Record]) -> None:
        """Dies twice after it has published, before its position moves."""
        publishing.signals.handle(connection, records)
        if crashes[0]:
            crashes[0] -= 1
            message = "killed"
            raise RuntimeError(message)

    with consuming(publishing.transport, GROUP, ["events"], handle):
        wait_until(lambda: len(publishing.heard) == 2 and not crashes[0])
        last = publishing.observe("s-3", [FOUND], [TEXT])
        publishing.relay(repeated=2)
        wait_until(lambda: f"observation:{last}:0" in publishing.ids())
    assert Counter(publishing.ids()) == Counter(
        [f"observation:{first}:0", f"observation:{first}:1", f"observation:{last}:0"]
    )


def test_what_a_signal_says(publishing: Publishing) -> None:
    observation_id = publishing.observe("s-1", [FOUND], [TEXT])
    publishing.relay()
    with consuming(publishing.transport, GROUP, ["events"], publishing.signals.handle):
        wait_until(lambda: bool(publishing.heard))
    (record,) = publishing.heard
    value = json.loads(record.value)
    assert record.key == b"s-1"
    assert record.headers["problem_type"] == b"bug"
    assert {key: value[key] for key in ("source_product", "source_type", "source_id", "weight")} == {
        "source_product": "replay_vision",
        "source_type": "scanner_finding",
        "source_id": f"observation:{observation_id}:0",
        "weight": 0.5,
    }
    assert {key: value[key] for key in TEXT} == TEXT
    extra = value["extra"]
    assert {key: extra[key] for key in FOUND} == FOUND
    assert (extra["scanner_name"], extra["session_id"], extra["distinct_id"]) == ("s-1", "s-1", "visitor-81")
    assert extra["recording_duration"] is None


def test_unsure_wordless_and_forgotten_findings_are_left_out_and_hold_up_none(publishing: Publishing) -> None:
    observation_id = publishing.observe(
        "s-1", [{**FOUND, "confidence": 0.39}, FOUND, {**FOUND, "confidence": 0.4}], [TEXT, {}, TEXT]
    )
    erased = publishing.observe("s-2", [FOUND], [TEXT])
    gone = publishing.observe("s-3", [FOUND], [TEXT])
    publishing.world.scanners.delete(publishing.world.context(), _scanner(publishing, gone))
    publishing.relay()
    with publishing.pool.connection() as connection:
        connection.execute(
            "DELETE FROM store.private_text USING read_observations.observation o"
            " WHERE private_text.id = o.text_id AND o.id = %s",
            (erased,),
        )
    last = publishing.observe("s-4", [FOUND], [TEXT])
    publishing.relay()
    with consuming(publishing.transport, GROUP, ["events"], publishing.signals.handle):
        wait_until(lambda: f"observation:{last}:0" in publishing.ids())
        wait_until(lambda: sum(publishing.transport.lag(GROUP).values()) == 0)
    assert sorted(publishing.ids()) == sorted([f"observation:{observation_id}:2", f"observation:{last}:0"])


def test_a_late_read_side_is_waited_for(publishing: Publishing) -> None:
    publishing.relay()
    observation_id = publishing.observe("s-1", [FOUND], [TEXT])
    with publishing.pool.connection() as connection:
        rows = list(EventLog().read_raw(connection, 0, 1000))
    publishing.transport.publish("events", [outgoing(row) for row in rows])
    with consuming(publishing.transport, GROUP, ["events"], publishing.signals.handle):
        wait_until(lambda: sum(publishing.transport.lag(GROUP).values()) > 0)
        assert publishing.heard == []
        with publishing.pool.connection() as connection:
            catch_up(connection)
        wait_until(lambda: publishing.ids() == [f"observation:{observation_id}:0"])


def _scanner(publishing: Publishing, observation_id: UUID) -> UUID:
    return publishing.world.observations.load(publishing.world.context(), observation_id).scanner_id
