"""One sweep: settled sessions with events and console lines, by scanners of mixed queries that have seen none of them.

    python benchmarks/selection.py CONNINFO [--sessions 10000] [--scanners 100] [--events 20] [--lines 5]

CONNINFO names an empty database that may be filled. The sweep is the product's own: it selects in the database and
appends what it selects to the log, with quota and caps out of the way. Seconds are of the sweep alone, memory is the
peak of this process, which holds the sweep and nothing else; what it had before the sweep is told beside it.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from api.bootstrap import migrations
from commands.context import Context
from commands.observations import ObservationLimits, Observations, Requested
from commands.scanners import Scanners
from commands.store.application import Store
from consumers.selection.sweep import Sweep, SweepRules
from domain.eligibility import EligibilityLimits
from domain.event import Actor
from domain.observation import Trigger
from domain.tenant import Tenant
from projections.accounts import ACCOUNTS
from projections.engine.installing import install
from projections.recordings import RECORDINGS

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTLE = timedelta(minutes=35)
TENANT = Tenant(1, UUID(int=7))
ROOM = 10**9

_SESSIONS = """
INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp, active_milliseconds,
    click_count, console_error_count, distinct_id, distinct_ids, start_url, urls, snapshot_source, snapshot_library,
    settle_number, settled_at, first_received_at, last_received_at)
SELECT 1, 'session-' || n, 1795000000000 + n * 1000, 1795000000000 + n * 1000 + 20000 + n %% 900000, 12000 + n %% 9000,
    n %% 40, n %% 3, 'visitor-' || n %% 2000, ARRAY['visitor-' || n %% 2000], 'https://shop.example/' || n %% 50,
    ARRAY['https://shop.example/' || n %% 50, 'https://shop.example/cart'], 'web', 'web', n, %(now)s, %(now)s, %(now)s
FROM generate_series(1, %(sessions)s) n
"""
_SETTLEMENTS = """
INSERT INTO capture.settlement (number, environment_id, session_id, settled_at)
SELECT s.settle_number, 1, s.session_id, s.settled_at FROM capture.session s
"""
_EVENTS = """
INSERT INTO capture.analytics_event (environment_id, session_id, uuid, name, at, distinct_id, current_url, properties,
    elements, received_at, arrived_at)
SELECT 1, 'session-' || n, gen_random_uuid(),
    CASE e %% 4 WHEN 0 THEN '$pageview' WHEN 1 THEN '$autocapture' WHEN 2 THEN 'event-' || n %% 100 ELSE 'viewed' END,
    1795000000000 + n * 1000 + e, 'visitor-' || n %% 2000, 'https://shop.example/' || e,
    jsonb_build_object('$current_url', 'https://shop.example/' || e, '$browser', 'Chrome', 'plan', (n + e) %% 30,
                       'price', (n * e) %% 1000, '$lib', 'web', 'note', repeat('x', 300)),
    CASE e %% 4 WHEN 1 THEN
        '[{"tag_name": "span", "text": "Pay"}, {"tag_name": "button", "attr_class": ["cta"]}]'::jsonb END,
    %(now)s, %(now)s
FROM generate_series(1, %(sessions)s) n, generate_series(1, %(events)s) e
"""
_LINES = """
INSERT INTO capture.console_line (environment_id, session_id, part, place, at, level, message)
SELECT 1, 'session-' || n, gen_random_uuid(), l, 0, (ARRAY['info', 'warn', 'error'])[1 + (n + l) %% 3],
    'request ' || n %% 700 || ' took ' || l || ' ms'
FROM generate_series(1, %(sessions)s) n, generate_series(1, %(lines)s) l
"""
_PERSONS = """
INSERT INTO capture.person (environment_id, person_id, properties)
SELECT 1, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
    jsonb_build_object('email', 'visitor' || n || '@example.org', 'age', n %% 90)
FROM generate_series(0, 1999) n
"""
_VISITORS = """
INSERT INTO capture.visitor (environment_id, distinct_id, person_id)
SELECT 1, 'visitor-' || n, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(0, 1999) n
"""


def one(kind: str, key: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"properties": [{"type": kind, "key": key, "operator": operator, "value": value}]}


def queries(number: int) -> tuple[dict[str, Any], float]:
    """The query of a scanner and its sampling rate: twelve kinds in turn, each with a value of its own."""
    line = {"type": "log_entry", "key": "message", "operator": "icontains", "value": f"Request {number} "}
    kinds: list[tuple[dict[str, Any], float]] = [
        ({}, 0.01),
        ({"events": [{"id": f"event-{number}"}]}, 0.5),
        ({"events": [{"id": "viewed", **one("event", "price", "gt", 995)}]}, 0.05),
        (one("event", "$current_url", "regex", rf"^https://[a-z.]+/{number % 20}$"), 0.01),
        (one("event", "plan", "is_not", number % 30), 0.02),
        (one("person", "email", "icontains", f"visitor{number}"), 1.0),
        (one("element", "selector", "exact", "button.cta span"), 0.01),
        ({"console_log_filters": [line]}, 1.0),
        ({"having_predicates": one("recording", "duration", "gt", 15 + number * 9)["properties"]}, 0.01),
        ({"operand": "OR", "events": [{"id": f"event-{number}"}], **one("recording", "click_count", "gt", 38)}, 0.2),
        (one("recording", "visited_page", "icontains", f"/{number % 50}"), 0.2),
        ({"events": [{"id": "never"}]}, 1.0),
    ]
    return kinds[number % len(kinds)]


@dataclass
class Timed(Observations):
    """The product's command, and what it was asked."""

    store: Store
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        super().__init__(self.store, ObservationLimits(ROOM, ROOM, ROOM, scheduled_per_day=ROOM))

    def request(
        self, context: Context, scanner_id: UUID, session_ids: Sequence[str], triggered_by: Trigger
    ) -> list[Requested]:
        began = time.perf_counter()
        answers = super().request(context, scanner_id, session_ids, triggered_by)
        self.seconds += time.perf_counter() - began
        self.outcomes.update(answer.outcome for answer in answers)
        return answers


def fill(connection: psycopg.Connection[TupleRow], options: argparse.Namespace) -> None:
    values = {"now": NOW, "sessions": options.sessions, "events": options.events, "lines": options.lines}
    for statement in (_SESSIONS, _SETTLEMENTS, _EVENTS, _LINES, _PERSONS, _VISITORS):
        connection.execute(statement.encode(), values)
    connection.execute("UPDATE capture.settle_counter SET number = %s", (options.sessions,))
    connection.execute("VACUUM ANALYZE")


def scan(connection: psycopg.Connection[TupleRow], scanners: Scanners, count: int) -> None:
    """Scanners whose watermarks stand before the first session."""
    context = Context(Actor(type="user", user_id=1), NOW, uuid4(), TENANT)
    for number in range(count):
        query, rate = queries(number)
        made = scanners.create(
            context,
            name=f"scanner {number}",
            scanner_type="monitor",
            scanner_config={"prompt": "Did it work?"},
            query=query,
            sampling_rate=rate,
            provider="builtin",
            model="builtin",
        )
        connection.execute(
            "INSERT INTO selection.watermark (scanner_id, environment_id, organization_id, enabled, settle_number,"
            " swept_at, as_of) VALUES (%s, 1, %s, true, 0, %s, 0)",
            (made.scanner.id, TENANT.organization_id, NOW - SETTLE),
        )


def peak_mib() -> float:
    """Of this program alone: `ru_maxrss` begins with what its parent had when it was started."""
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conninfo")
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--scanners", type=int, default=100)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--lines", type=int, default=5)
    options = parser.parse_args()
    store = Store(options.conninfo)
    with psycopg.connect(options.conninfo, autocommit=True) as connection:
        migrations().apply(connection)
        install(connection, [ACCOUNTS, RECORDINGS])
        fill(connection, options)
        scan(connection, Scanners(store, {"builtin": ("builtin",)}), options.scanners)
    observations = Timed(store)
    rules = SweepRules(EligibilityLimits(), SETTLE)
    with ConnectionPool[psycopg.Connection[TupleRow]](
        options.conninfo, min_size=1, max_size=2, kwargs={"autocommit": True}
    ) as pool:
        sweep = Sweep(pool, Scanners(store, {"builtin": ("builtin",)}), observations, rules, lambda: NOW)
        before, began, sweeps = peak_mib(), time.perf_counter(), 1
        while sweep.run() is not None:
            sweeps += 1
        seconds = time.perf_counter() - began
        behind = "SELECT count(*) FROM selection.watermark WHERE settle_number < %s"
        with pool.connection() as connection:
            assert connection.execute(behind, (options.sessions,)).fetchone() == (0,), "a scanner is behind"
    requested = observations.outcomes["started"]
    assert requested == observations.outcomes.total() > 0
    print(f"{options.sessions} sessions x {options.scanners} scanners: {seconds:.1f} s in {sweeps} sweep(s)")
    print(f"  {seconds - observations.seconds:.1f} s selecting, {observations.seconds:.1f} s for {requested} requests")
    print(f"  peak memory {peak_mib():.0f} MiB, of which {before:.0f} MiB before the sweep")
    store.close()


if __name__ == "__main__":
    main()
