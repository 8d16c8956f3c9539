"""A simulated year of schedules: each expected occurrence runs exactly once, whatever becomes of the schedulers.

In short by default; `make year` takes 100 actions and a whole year. The clock is injected; there is no model and no
delivery.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from commands.action_runs import ActionRuns, WrittenRun
from commands.context import Context
from commands.store.application import Save
from commands.store.event_log import EventLog
from commands.store.guards import release, runs_of
from consumers.actions.due import DueActions
from domain.action_run import ActionRun, ActionRunClaimed
from projections.catalogue import ACTIONS
from tests.actions.acting import Acting, Clock
from tests.actions.year import BEGIN, expected, occurrences, planned

WHOLE = "REPLAY_VISION_YEAR" in os.environ
DICE = int(os.environ.get("REPLAY_VISION_YEAR", "1"))
ACTIONS_OF_IT = 100 if WHOLE else 40
END = BEGIN + timedelta(days=366 if WHOLE else 45)
MOST_OCCURRENCES = 60_000
SECONDS = 300


class Killed(ActionRuns):
    """Of a process that ends at a claim: before the append, or after it and before anybody has heard of it."""

    def __init__(self, acting: Acting, dice: random.Random) -> None:
        super().__init__(acting.world.store)
        self._dice = dice

    def claim_due(self, context: Context, action_id: UUID, due: datetime, schedule_version: int) -> WrittenRun | None:
        if self._dice.random() < 0.3:
            raise KeyboardInterrupt
        claimed = super().claim_due(context, action_id, due, schedule_version)
        if self._dice.random() < 0.3:
            raise KeyboardInterrupt
        return claimed


@pytest.mark.timeout(SECONDS + 60)
def test_each_expected_occurrence_ran_exactly_once(
    acting: Acting, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    dice = random.Random(DICE)
    acting.clock = clock = Clock(BEGIN)
    acting.world.clock = clock  # type: ignore[assignment]
    times: dict[UUID, list[datetime]] = {}
    scanner = acting.world.scanner()
    for number, (rule, zone) in enumerate(planned(ACTIONS_OF_IT, dice)):
        schedule = {"rrule": rule, "timezone": zone}
        times[acting.world.action(scanner, str(number), trigger_config=schedule)] = occurrences(rule, zone, END)
    acting.catch_up()
    assert sum(map(len, times.values())) <= MOST_OCCURRENCES
    ticks = _ticks(times, dice)
    claimed: Counter[tuple[UUID, datetime]] = Counter()
    for tick in ticks:
        clock.now = tick
        _look(acting, dice)
        acting.catch_up([ACTIONS])
        claimed += _end(acting)
    assert claimed == Counter((action, at) for action, found in times.items() for at in expected(found, ticks))
    assert set(claimed.values()) == {1}
    took = time.monotonic() - began
    record_property("occurrences", len(claimed))
    record_property("ticks", len(ticks))
    assert took < SECONDS


def _ticks(times: dict[UUID, list[datetime]], dice: random.Random) -> list[datetime]:
    """One within seconds after each time that anything is due, but for four stretches in which no scheduler runs."""
    moments = sorted({moment for found in times.values() for moment in found})
    away = [(at, at + timedelta(hours=dice.uniform(1, 60))) for at in dice.sample(moments, 4)]
    ticks = [at + timedelta(seconds=dice.choice((0, 0.5, 9))) for at in moments]
    ticks = [at for at in ticks if not any(gone <= at < back for gone, back in away)]
    return sorted([*ticks, *(back for _, back in away)])


def _look(acting: Acting, dice: random.Random) -> None:
    """A tick: mostly one scheduler; now and then one that is killed in the middle and begun anew, or three at once."""
    fate = dice.randrange(20)
    if fate == 0:
        for _ in range(3):
            with suppress(KeyboardInterrupt):
                DueActions(acting.pool, Killed(acting, dice), acting.clock).run()
    if fate == 1:
        schedulers = [DueActions(acting.pool, ActionRuns(acting.world.store), acting.clock) for _ in range(3)]
        with ThreadPoolExecutor(3) as several:
            for done in [several.submit(scheduler.run) for scheduler in schedulers]:
                done.result()
    DueActions(acting.pool, ActionRuns(acting.world.store), acting.clock).run()


def _end(acting: Acting) -> Counter[tuple[UUID, datetime]]:
    """Ends the runs that were claimed since, all in one append, and says how often each time of each action was."""
    with acting.pool.connection() as connection:
        recorded = EventLog().read(connection, acting.heard, 1_000)
    claims = [one.event for one in recorded if isinstance(one.event, ActionRunClaimed)]
    acting.heard = recorded[-1].position if recorded else acting.heard
    saves: list[Save] = []
    for claim in claims:
        run: ActionRun = claim.mutate(None)
        run.fail(acting.world.context().stamp(), lease_token=None, reason="orphaned", message="Ended by the test.")
        saves.append(Save((run,), (release(runs_of(run.action_id), str(run.id), run.id),)))
    if saves:
        assert {outcome.refusal for outcome in acting.world.store.save_each(saves)} == {None}
    return Counter((claim.action_id, claim.scheduled_at) for claim in claims)
