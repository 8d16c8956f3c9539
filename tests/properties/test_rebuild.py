"""Any history of commands: a rebuild equals the live tables, and the quota's two books agree."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql

from commands.action_runs import ActionRuns, RunLease
from commands.observations import Lease, ObservationLimits
from commands.store.application import Store
from commands.store.event_log import EventLog
from domain.alert import Change, Measured
from domain.endpoint import endpoint_id
from domain.errors import VisionError
from domain.ids import gap_id
from projections.catalogue import PROJECTIONS
from projections.engine.installing import install
from projections.engine.rebuilding import rebuild
from tests.projections.world import World, catch_up

TYPES = ("monitor", "classifier", "scorer", "summarizer")
LIMITS = ObservationLimits(default_quota=6, per_scanner=5, per_environment=7)

small = st.integers(0, 3)
name = st.sampled_from(["a", "B", "100%", "naïve \u2603", '"\\'])
sessions = st.lists(st.sampled_from(["s1", "s2", "s3", "s4"]), min_size=1, max_size=3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), name, st.sampled_from(TYPES)),
        st.tuples(st.just("edit"), small, st.fixed_dictionaries({}, optional={
            "name": name, "description": st.text(max_size=5), "enabled": st.booleans(),
            "sampling_rate": st.sampled_from([0, 0.5, 1.0]), "emits_signals": st.booleans(),
        })),
        st.tuples(st.just("act"), name, small),
        st.tuples(st.just("redirect"), small, st.fixed_dictionaries({}, optional={
            "name": name, "enabled": st.booleans(), "trigger_config": st.sampled_from([{}, {"rrule": "FREQ=DAILY"}]),
            "selection": st.sampled_from([{}, {"tags": ["x"]}]), "mode": st.sampled_from(["alert", "group_summary"]),
            "alert_config": st.sampled_from([{"metric": "count", "threshold": 1}]),
        })),
        st.tuples(st.just("check"), small, small),
        st.tuples(st.sampled_from(["drop", "connect", "disconnect"]), small, small),
        st.tuples(st.sampled_from(["observe", "erase"]), small, sessions),
        st.tuples(st.just("start"), small, small),
        st.tuples(st.sampled_from(["succeed", "fail", "ineligible", "abandon", "retry"]), small, small),
        st.tuples(st.sampled_from(["gap", "redrive"]), small, small),
        st.tuples(st.just("delete"), small, small),
        st.tuples(st.just("quota"), small, small),
        st.tuples(st.just("month"), small, small),
        st.tuples(st.just("feed"), small, small),
    ),
    min_size=5,
    max_size=40,
)  # fmt: skip


class Server(Protocol):
    """tests/conftest.py: the session's PostgreSQL."""

    def clone(self) -> str: ...
    def drop(self, url: str) -> None: ...


class Play:
    """Carries out steps; what the rules refuse is refused, and changes nothing."""

    def __init__(self, world: World, connection: Connection) -> None:
        self.world = world
        self.connection = connection
        self.scanners: list[tuple[UUID, str]] = []
        self.actions: list[UUID] = []
        self.integrations: list[int] = []
        self.secrets: list[int] = []
        self.observations: list[tuple[UUID, str]] = []
        self.leases: dict[UUID, Lease] = {}
        self.tries: dict[UUID, int] = {}

    def step(self, kind: str, first: Any, second: Any) -> None:
        try:
            getattr(self, kind)(first, second)
        except VisionError:
            return

    def create(self, called: str, scanner_type: str) -> None:
        self.scanners.append((self.world.scanner(called, scanner_type), scanner_type))

    def edit(self, which: int, changes: dict[str, Any]) -> None:
        if self.scanners:
            self.world.scanners.edit(self.world.context(), self._scanner(which)[0], changes)

    def act(self, called: str, which: int) -> None:
        if self.scanners:
            self.actions.append(self.world.action(self._scanner(which)[0], called))

    def redirect(self, which: int, changes: dict[str, Any]) -> None:
        if self.actions:
            self.world.actions.edit(self.world.context(), self.actions[which % len(self.actions)], changes)

    def check(self, which: int, outcome: int) -> None:
        """A run that measures, before or after what it measures is changed."""
        if not self.actions:
            return
        runs, context = ActionRuns(self.world.store), self.world.context()
        run = runs.run_now(context, self.actions[which % len(self.actions)]).run
        lease = RunLease(run.id, run.id)
        runs.start(context, lease, try_number=1, window_start=run.window_end, since=None)
        changes: tuple[Change | None, ...] = (None, "fired", "resolved", "fired")
        measured = Measured(
            action_id=run.action_id,
            condition=int(str(run.action["condition"])),
            cause="schedule",
            window_start=run.window_end,
            window_end=run.window_end,
            position=run.position,
            value=None if outcome == 0 else outcome / 2,
            change=changes[outcome],
            told=outcome == 1,
        )
        if outcome > 1:
            self.step("redirect", which, {"selection": {"tags": [str(run.position)]}})
        runs.skip(context, lease, reason="cooldown", message="m", measured=measured)

    def drop(self, which: int, _: int) -> None:
        if self.actions:
            self.world.actions.delete(self.world.context(), self.actions[which % len(self.actions)])

    def connect(self, _: int, __: int) -> None:
        self.integrations.append(self.world.integrations.create(self.world.admin(), 1, "slack", "xoxb-1")[0])
        self.world.endpoints.disable(self.world.context(), HOOK, reason="Gone.", failing_since=self.world.clock())
        self.secrets.append(self.world.webhook_secrets.create(self.world.admin(), 1).number)

    def disconnect(self, _: int, __: int) -> None:
        if self.integrations:
            self.world.integrations.delete(self.world.admin(), self.integrations.pop())
            self.world.endpoints.enable(self.world.admin(), endpoint_id(1, HOOK))
        if self.secrets:
            self.world.webhook_secrets.retire(self.world.admin(), self.secrets.pop())

    def observe(self, which: int, sessions: list[str]) -> None:
        if self.scanners:
            scanner_id, scanner_type = self._scanner(which)
            self.observations += [(found, scanner_type) for found in self.world.observe(scanner_id, *sessions)]

    def erase(self, _: int, sessions: list[str]) -> None:
        self.world.recordings.delete(self.world.context(), sessions[0])

    def start(self, which: int, _: int) -> None:
        if self.observations:
            observation_id = self._observation(which)[0]
            self.tries[observation_id] = self.tries.get(observation_id, 0) + 1
            subject = {"distinct_id": "v", "email": "v@example.org"}
            self.leases[observation_id] = self.world.start(observation_id, self.tries[observation_id], **subject)

    def succeed(self, which: int, _: int) -> None:
        for observation_id, scanner_type in self._leased(which):
            self.world.succeed(self.leases[observation_id], scanner_type, {"reasoning": "r", "tags_freeform": ["x"]})

    def fail(self, which: int, _: int) -> None:
        for observation_id, _type in self._leased(which):
            self.world.fail(self.leases[observation_id])

    def ineligible(self, which: int, _: int) -> None:
        for observation_id, _type in self._leased(which):
            lease = self.leases[observation_id]
            self.world.observations.judge_ineligible(self.world.context(), lease, kind="too_short", message="m")

    def abandon(self, which: int, run: int) -> None:
        if self.observations:
            observation_id = self._observation(which)[0]
            self.world.observations.abandon(self.world.context(), observation_id, run, message="died")

    def retry(self, which: int, _: int) -> None:
        if self.observations:
            observation_id = self._observation(which)[0]
            self.world.observations.retry(self.world.context(), observation_id)
            self.tries[observation_id] = 0

    def gap(self, which: int, last: int) -> None:
        if self.scanners:
            self.world.scanners.skip_gap(self.world.context(), self._scanner(which)[0], 1, last, "quota_exhausted")

    def redrive(self, which: int, first: int) -> None:
        if self.scanners:
            scanner_id = self._scanner(which)[0]
            self.world.scanners.redrive_gap(self.world.context(), scanner_id, gap_id(scanner_id, first))

    def delete(self, which: int, _: int) -> None:
        if self.scanners:
            self.world.scanners.delete(self.world.context(), self._scanner(which)[0])

    def quota(self, limit: int, _: int) -> None:
        self.world.accounts.set_quota(self.world.admin(), self.world.tenant.organization_id, limit * 3)

    def month(self, which: int, _: int) -> None:
        now = self.world.clock.now
        self.world.clock.now = max(now, datetime(2026, 11 + which % 2, 28, tzinfo=UTC))

    def feed(self, _: int, __: int) -> None:
        """Batches end at different places in every history."""
        catch_up(self.connection)

    def _scanner(self, which: int) -> tuple[UUID, str]:
        return self.scanners[which % len(self.scanners)]

    def _observation(self, which: int) -> tuple[UUID, str]:
        return self.observations[-1 - which % len(self.observations)]

    def _leased(self, which: int) -> list[tuple[UUID, str]]:
        found = [pair for pair in self.observations if pair[0] in self.leases]
        return [found[which % len(found)]] if found else []


@contextmanager
def database(server: Server) -> Iterator[str]:
    url = server.clone()
    try:
        yield url
    finally:
        server.drop(url)


@given(history=steps)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large),
)
def test_rebuilt_equals_live(fast_server: Server, history: list[tuple[str, Any, Any]]) -> None:
    with database(fast_server) as url, psycopg.connect(url, autocommit=True) as connection:
        install(connection, PROJECTIONS)
        store = Store(url, pool_size=1)
        try:
            play = Play(World.create(store, LIMITS), connection)
            for step in history:
                play.step(*step)
        finally:
            store.close()
        catch_up(connection)
        assert connection.execute("SELECT * FROM projection.parked").fetchall() == []
        for projection in PROJECTIONS:
            report = rebuild(url, projection, EventLog(), swap=False)
            assert (report.differences, report.parked) == ([], 0)
        assert connection.execute(USED).fetchall() == connection.execute(ENFORCED).fetchall()
        assert connection.execute(COUNTED).fetchall() == connection.execute(HELD).fetchall()


USED = "SELECT period, requested - refunded FROM read_quota.usage WHERE requested > refunded ORDER BY period"
ENFORCED = "SELECT period, used FROM store.quota_usage WHERE used > 0 ORDER BY period"
COUNTED = "SELECT scanner_id, period, count(*) FROM read_quota.charge WHERE in_flight GROUP BY 1, 2 ORDER BY 1, 2"
TABLES = {
    "accounts": "member",
    "action_runs": "run",
    "actions": "action",
    "delivery": "endpoint",
    "integrations": "integration",
    "history": "entry",
    "observations": "observation",
    "quota": "usage",
    "recordings": "deleted_session",
    "scanners": "scanner",
}
HOOK = {"type": "webhook", "url": "https://hooks.example.org/x"}
HELD = "SELECT scanner_id, period, count FROM store.in_flight ORDER BY 1, 2"


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_the_comparison_would_notice(fast_server: Server, projection: Any) -> None:
    """The property above is worth nothing if a wrong row went unseen."""
    with database(fast_server) as url, psycopg.connect(url, autocommit=True) as connection:
        install(connection, PROJECTIONS)
        store = Store(url, pool_size=1)
        try:
            world = World.create(store)
            world.observe(world.scanner(), "s1")
            ActionRuns(store).run_now(world.context(), world.action(world.scanner("Other")))
            world.integrations.create(world.admin(), 1, "slack", "xoxb-1")
            world.endpoints.disable(world.context(), HOOK, reason="It is gone.", failing_since=world.clock())
            world.recordings.delete(world.context(), "s1")
        finally:
            store.close()
        catch_up(connection)
        connection.execute(
            sql.SQL("DELETE FROM {}").format(sql.Identifier(f"read_{projection.name}", TABLES[projection.name]))
        )
        assert rebuild(url, projection, EventLog(), swap=False).differences
