"""Golden runs of actions: reports, checks, and what became of their deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from domain.action import Action
from domain.action_run import ActionRun, Cited
from domain.alert import Change, Measured
from domain.event import Aggregate, Stamp
from domain.ids import run_id
from tests.golden.stamps import BEGAN, NAMES, SCANNER, WORKERS, Stamps, text


def runs(stamps: Stamps, action: Action) -> Iterator[ActionRun]:
    """A report that one target takes at the second time and another never, a run of nothing, and one that failed."""
    due = action.next_run_at
    assert due is not None
    late = replace(stamps.next(), recorded_at=due + timedelta(days=2))
    done = _run(late, action, run_id(action.id, due), due)
    done.start(stamps.next(), try_number=1, lease_token=WORKERS[0], window_start=due - timedelta(days=1), since=4)
    done.write_report(
        stamps.next(),
        lease_token=WORKERS[0],
        report=text("report"),
        observations=[Cited(index=2, id=uuid5(NAMES, "cited"), session_id="s-1")],
        observation_count=3,
        matched=7,
        provider="builtin",
        model="builtin",
        input_tokens=0,
        output_tokens=0,
        cost_usd=Decimal(0),
        digests=0,
    )
    _deliver(stamps, done)
    yield done
    asked = _run(stamps.next(), action, uuid5(NAMES, "asked"), None)
    asked.skip(stamps.next(), lease_token=None, reason="skipped_empty", message="No observation matched.")
    yield asked
    failed = _run(stamps.next(), action, uuid5(NAMES, "failed"), None)
    failed.start(stamps.next(), try_number=1, lease_token=WORKERS[1], window_start=BEGAN, since=None)
    failed.fail(stamps.next(), lease_token=WORKERS[1], reason="provider_rejected", message="HTTP 400")
    yield failed


def checks(stamps: Stamps) -> Iterator[Aggregate]:
    """An alert that had nothing to measure, fired and resolved."""
    watched: dict[str, Any] = {"metric": "tag_share", "tag": "a", "threshold": 0.5}
    action = Action.create(
        uuid5(NAMES, "alert"), stamps.next(), name="Half of them", scanner=SCANNER, mode="alert", alert_config=watched
    )
    yield action
    readings: list[tuple[float | None, Change | None]] = [(None, None), (0.75, "fired"), (0.25, "resolved")]
    for number, (value, change) in enumerate(readings):
        run = _run(stamps.next(), action, uuid5(NAMES, f"check {number}"), None)
        measured = Measured(
            action_id=action.id,
            condition=action.condition,
            cause="manual",
            window_start=BEGAN - timedelta(days=1),
            window_end=BEGAN,
            position=42 + number,
            value=value,
            change=change,
            told=False,
        )
        run.measure(stamps.next(), measured)
        run.skip(stamps.next(), lease_token=None, reason="cooldown", message="It is within the cooldown.")
        yield run


def _run(stamp: Stamp, action: Action, run: UUID, due: datetime | None) -> ActionRun:
    webhook: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example/x"}
    return ActionRun.claim(
        run,
        stamp,
        action_id=action.id,
        scanner_id=SCANNER,
        cause="manual" if due is None else "schedule",
        scheduled_at=due or stamp.recorded_at,
        next_run_at=due and due + timedelta(days=3),
        window_start=None if due else stamp.recorded_at - timedelta(days=1),
        window_end=due or stamp.recorded_at,
        position=42,
        action_version=action.version,
        action={**action.snapshot(), "delivery_config": [*action.delivery_config, webhook]},
    )


def _deliver(stamps: Stamps, run: ActionRun) -> None:
    slack, webhook = (UUID(delivery) for delivery in run.deliveries)
    away: dict[str, Any] = {
        "at": BEGAN,
        "status_code": None,
        "duration_ms": 12,
        "error": "No answer.",
        "response": None,
    }
    there: dict[str, Any] = {**away, "status_code": 200, "error": None, "response": text("ok"), "retry_at": None}
    later = BEGAN + timedelta(minutes=5)
    run.attempt(stamps.next(), slack, round=1, number=1, retry_at=later, ending=None, **away)
    run.attempt(stamps.next(), slack, round=1, number=2, ending="succeeded", **there)
    run.attempt(stamps.next(), webhook, round=1, number=1, retry_at=None, ending="abandoned", **away)
    run.redeliver(stamps.next(), webhook)
    run.abandon_delivery(stamps.next(), webhook, reason="The secret is gone.")
