"""Runs: what falls into their window, what they come to, and who ends them when their workers die."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest

from commands.sealing import Seal
from consumers.actions import jobs
from consumers.actions.report.port import Material, Report
from consumers.actions.report.writer import ReportWriter
from consumers.actions.running import Running
from consumers.actions.selection import CAP, spread
from consumers.scanning.pauses import MAX_TRIES
from consumers.scanning.providers.models.catalogue import Catalogue
from consumers.scanning.providers.port import ProviderError
from domain.tenant import Tenant
from tests.actions.acting import DAILY, Acting, at

FIRST = datetime(2026, 11, 2, 7, tzinfo=UTC)
"""08:00 in Prague on the day after the world begins."""
SINCE: dict[str, Any] = {"selection": {}, "trigger_config": DAILY}


class Writing:
    """The product's writer without models, which notes what it was given; `failing` is raised instead, once each."""

    def __init__(self, acting: Acting) -> None:
        self.seen: list[Material] = []
        self.failing: list[ProviderError] = []
        self._writer = ReportWriter(
            Catalogue([]), {}, acting.pool, Seal(b"secret"), acting.clock, "https://vision.example"
        )

    def write(self, tenant: Tenant, run_id: UUID, material: Material, provider: str, model: str) -> Report:
        self.seen.append(material)
        if self.failing:
            raise self.failing.pop(0)
        return self._writer.write(tenant, run_id, material, provider, model)


@pytest.fixture
def writing(acting: Acting) -> Writing:
    return Writing(acting)


def work(acting: Acting, writing: Writing) -> int:
    return acting.work("run", Running(acting.pool, acting.runs, writing, acting.clock, lambda: 0.5).work)


def found(acting: Acting, scanner: UUID, *sessions: str, **result: Any) -> None:
    for observation in acting.world.observe(scanner, *sessions):
        acting.world.succeed(acting.world.start(observation), **result)
    acting.catch_up()


def due(acting: Acting, day: int, writing: Writing) -> None:
    """The action's run of that day, done."""
    at(acting.world.clock, FIRST, days=day, seconds=1)
    acting.tick()
    assert work(acting, writing) == 1


def told(writing: Writing) -> list[str]:
    return sorted(one.session_id for one in writing.seen[-1].observations)


def test_a_run_becomes_a_report_that_cites_observations(acting: Acting, writing: Writing) -> None:
    scanner = acting.world.scanner()
    action = acting.world.action(scanner, trigger_config=DAILY)
    found(acting, scanner, "a", "b")
    due(acting, 0, writing)
    (run,) = acting.runs_of(action)
    assert (run["status"], run["error_reason"], run["observation_count"]) == ("completed", "", 2)
    shown = acting.run(action, run["id"])
    assert "2 observations" in shown["synthesized_markdown"]
    assert {one["session_id"] for one in shown["observations"]} <= {"a", "b"}
    assert all(f"[obs {one['index']}]" in shown["synthesized_markdown"] for one in shown["observations"])
    assert shown["observations"]


@pytest.mark.rule("8.3/skip-nothing-matched")
def test_nothing_matched_is_skipped(acting: Acting, writing: Writing) -> None:
    action = acting.world.action(acting.world.scanner(), trigger_config=DAILY)
    acting.catch_up()
    due(acting, 0, writing)
    (run,) = acting.runs_of(action)
    assert (run["status"], run["error_reason"]) == ("skipped", "skipped_empty:No observation matched.")
    assert acting.run(action, run["id"])["deliveries"] == []
    assert writing.seen == []


def test_windows_without_days_go_on_from_the_last_completed_run(acting: Acting, writing: Writing) -> None:
    """Nothing is told twice and nothing is left out: runs that failed, were skipped or asked for move nothing."""
    at(acting.world.clock, FIRST, hours=-25)
    scanner = acting.world.scanner()
    found(acting, scanner, "too old")
    at(acting.world.clock, FIRST, hours=-3)
    action = acting.world.action(scanner, **SINCE)
    found(acting, scanner, "a")
    due(acting, 0, writing)
    assert told(writing) == ["a"]
    found(acting, scanner, "b")
    acting.runs.run_now(acting.world.context(), action)
    acting.catch_up()
    work(acting, writing)
    assert told(writing) == ["b"]
    writing.failing.append(ProviderError("provider_rejected", "HTTP 400"))
    due(acting, 1, writing)
    assert told(writing) == ["b"]
    found(acting, scanner, "c")
    due(acting, 2, writing)
    assert told(writing) == ["b", "c"]
    due(acting, 3, writing)  # nothing
    found(acting, scanner, "d")
    due(acting, 4, writing)
    assert told(writing) == ["d"]
    states = [(run["status"], run["error_reason"]) for run in acting.runs_of(action)]
    assert states == [
        ("completed", ""),
        ("skipped", "skipped_empty:No observation matched."),
        ("completed", ""),
        ("failed", "provider_rejected:HTTP 400"),
        ("completed", ""),
        ("completed", ""),
    ]
    newest, skipped, third, *_ = acting.runs_of(action)
    assert newest["window_start"] == skipped["window_start"] == third["window_end"]


def test_a_rolling_window_is_half_open_and_ends_when_it_was_due(acting: Acting, writing: Writing) -> None:
    at(acting.world.clock, FIRST, days=-2)
    scanner = acting.world.scanner()
    observations = acting.world.observe(scanner, "before", "first", "last", "after")
    leases = [acting.world.start(one) for one in observations]
    day, second = timedelta(days=1), timedelta(seconds=1)
    moments = (FIRST - day - second, FIRST - day, FIRST - second, FIRST)
    for lease, moment in zip(leases, moments, strict=True):
        acting.world.clock.now = moment - second  # every look is a second later
        acting.world.succeed(lease)
    at(acting.world.clock, FIRST, hours=-1)
    acting.world.action(scanner, trigger_config=DAILY, selection={"window_days": 1})
    acting.catch_up()
    due(acting, 0, writing)
    assert told(writing) == ["first", "last"]


@pytest.mark.parametrize(
    ("selection", "sessions"),
    [
        ({"verdict": "no"}, ["no"]),
        ({"tags": ["payment", "nothing"]}, ["paid"]),
        ({"min_score": 7}, ["nine", "seven"]),
        ({"min_score": 7, "max_score": 7}, ["seven"]),
        ({"scanner_type": "scorer"}, ["nine", "seven", "two"]),
        ({"status": "failed"}, []),
        ({"scanner_ids": [str(uuid4())]}, []),
    ],
)
def test_every_key_of_a_selection_counts(
    acting: Acting, writing: Writing, selection: dict[str, Any], sessions: list[str]
) -> None:
    kinds = {kind: acting.world.scanner(kind, kind) for kind in ("monitor", "classifier", "scorer")}
    chosen = {"scanner_ids": [str(scanner) for scanner in kinds.values()], **selection}
    acting.world.action(kinds["monitor"], trigger_config=DAILY, selection=chosen)
    found(acting, kinds["monitor"], "yes", scanner_type="monitor")
    found(acting, kinds["monitor"], "no", scanner_type="monitor", verdict="no")
    found(acting, kinds["classifier"], "paid", scanner_type="classifier")
    for session, score in (("two", 2), ("seven", 7), ("nine", 9)):
        found(acting, kinds["scorer"], session, scanner_type="scorer", score=score)
    due(acting, 0, writing)
    assert (told(writing) if writing.seen else []) == sessions


def test_many_are_sampled_evenly_and_it_is_said(acting: Acting, writing: Writing) -> None:
    scanner = acting.world.scanner()
    action = acting.world.action(scanner, trigger_config=DAILY)
    found(acting, scanner, *(f"s{number:03}" for number in range(CAP + 20)))
    due(acting, 0, writing)
    (run,) = acting.runs_of(action)
    assert run["observation_count"] == len(writing.seen[-1].observations) == CAP
    assert writing.seen[-1].matched == CAP + 20
    assert writing.seen[-1].current is not None
    assert writing.seen[-1].current.count == CAP + 20
    markdown = acting.run(action, run["id"])["synthesized_markdown"]
    assert f"{CAP} of {CAP + 20}" in markdown


def test_how_many_a_report_is_written_of_is_the_operators_to_say(acting: Acting, writing: Writing) -> None:
    scanner = acting.world.scanner()
    acting.world.action(scanner, trigger_config=DAILY)
    found(acting, scanner, *(f"s{number}" for number in range(8)))
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    acting.work("run", Running(acting.pool, acting.runs, writing, acting.clock, most=5).work)
    assert (len(writing.seen[-1].observations), writing.seen[-1].matched) == (5, 8)


def test_a_sample_has_both_ends_and_even_steps() -> None:
    ids = [UUID(int=number) for number in range(1_000)]
    taken = [one.int for one in spread(ids, 100)]
    assert (taken[0], taken[-1], len(set(taken))) == (0, 999, 100)
    assert {later - earlier for earlier, later in pairwise(taken)} == {10, 11}
    assert spread(ids[:100], 100) == ids[:100]


@pytest.mark.rule("8.3/skip-disabled")
def test_an_action_that_was_switched_off_meanwhile_is_skipped_but_not_for_who_asks(
    acting: Acting, writing: Writing
) -> None:
    scanner = acting.world.scanner()
    action = acting.world.action(scanner, trigger_config=DAILY)
    found(acting, scanner, "a")
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    acting.world.actions.edit(acting.world.context(), action, {"enabled": False})
    work(acting, writing)
    acting.runs.run_now(acting.world.context(), action)
    work(acting, writing)
    assert [run["status"] for run in acting.runs_of(action)] == ["completed", "skipped"]


def test_a_provider_that_is_away_is_asked_again_and_then_given_up(acting: Acting, writing: Writing) -> None:
    scanner = acting.world.scanner()
    action = acting.world.action(scanner, trigger_config=DAILY)
    found(acting, scanner, "a")
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    writing.failing = [ProviderError("provider_transient", "HTTP 503") for _ in range(MAX_TRIES)]
    for tries in range(1, MAX_TRIES + 1):
        assert work(acting, writing) == 1
        assert len(writing.seen) == tries
        with acting.pool.connection() as connection:
            connection.execute("UPDATE actions.job SET available_at = now() WHERE state = 'queued'")
    (run,) = acting.runs_of(action)
    assert (run["status"], run["error_reason"]) == ("failed", "provider_transient:HTTP 503")


def test_a_worker_that_lost_its_lease_ends_nothing(acting: Acting, writing: Writing) -> None:
    scanner = acting.world.scanner()
    action = acting.world.action(scanner, trigger_config=DAILY)
    found(acting, scanner, "a")
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    late = acting.lease(seconds=0)
    acting.reap()
    assert work(acting, writing) == 1
    running = Running(acting.pool, acting.runs, writing, acting.clock)
    assert running.work(late, Event(), Event()) is None
    acting.catch_up()
    (run,) = acting.runs_of(action)
    assert run["status"] == "completed"
    assert len(writing.seen) == 1


@pytest.mark.rule("8.3/once-per-time")
def test_a_run_whose_workers_die_is_given_to_others_and_then_ended(acting: Acting) -> None:
    action = acting.world.action(acting.world.scanner(), trigger_config=DAILY)
    acting.catch_up()
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    for _ in range(3):
        assert acting.runs_of(action)[0]["status"] == "running"
        acting.lease(seconds=0)
        acting.reap()
    (run,) = acting.runs_of(action)
    assert run["status"] == "failed"
    assert run["error_reason"].startswith("orphaned:")
    with acting.pool.connection() as connection:
        assert connection.execute("SELECT name, count FROM actions.counted").fetchall() == [("runs_reaped", 1)]
        assert jobs.lease(connection, "run", "test") is None
    at(acting.world.clock, FIRST, days=1, seconds=1)
    acting.tick()
    assert [one["status"] for one in acting.runs_of(action)] == ["running", "failed"]


def test_a_run_without_a_job_is_ended_after_hours(acting: Acting) -> None:
    action = acting.world.action(acting.world.scanner(), trigger_config=DAILY)
    acting.catch_up()
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    at(acting.world.clock, FIRST, minutes=119)
    acting.reap()
    assert acting.runs_of(action)[0]["status"] == "running"
    at(acting.world.clock, FIRST, minutes=121)
    acting.reap()
    assert acting.runs_of(action)[0]["error_reason"] == "orphaned:Nobody works on it any more."


def test_a_run_of_an_action_that_is_deleted_meanwhile_ends_quietly(acting: Acting, writing: Writing) -> None:
    scanner = acting.world.scanner()
    action = acting.world.action(scanner, trigger_config=DAILY)
    found(acting, scanner, "a")
    at(acting.world.clock, FIRST, seconds=1)
    acting.tick()
    acting.world.actions.delete(acting.world.context(), action)
    assert work(acting, writing) == 1
    with acting.pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM projection.parked").fetchone() == (0,)
        assert connection.execute("SELECT state FROM actions.job").fetchall() == [("done",)]
