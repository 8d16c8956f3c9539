"""Writes a golden history: `python tests/golden/record.py VERSION`, from the repository's root.

A golden history holds every event class as a release stores it, and the state that each stream folds to. Once a release
has shipped, its files never change: every later release must decode and fold them (test_history.py).

To add a version, when an event class is new or its schema changes:

1. add the class, or raise its SCHEMA_VERSION and register an upcaster for the old one (commands/store/mapper.py);
2. let `histories` below record the event;
3. run this script with the next number and commit the two files it writes.

An existing file is not overwritten.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import orjson
from pydantic import TypeAdapter

from commands.store.mapper import EventMapper
from domain.accounts import ApiKey, Environment, Organization, User
from domain.action import Action
from domain.action_run import ActionRun, Cited
from domain.alert import Change, Measured
from domain.endpoint import Endpoint
from domain.event import Actor, Aggregate, Event, Stamp, TextRef
from domain.ids import gap_id, run_id
from domain.integration import Integration
from domain.observation import Observation, Usage
from domain.recording import Recording
from domain.scanner import Scanner
from domain.webhook_secret import WebhookSecret

FOLDER = Path(__file__).parent
BEGAN = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC)
NAMES = UUID("5a0f6b3e-6c0e-4c56-9a3d-0d3f2f1f7c11")
ORGANIZATION = uuid5(NAMES, "organization")
SCANNER = uuid5(NAMES, "scanner")
WORKERS = [uuid5(NAMES, f"worker {number}") for number in range(4)]
JSON = TypeAdapter(dict[str, Any])
USED = Usage(
    requests=2,
    input_tokens=1200,
    output_tokens=80,
    cost_usd=Decimal("0.000125"),
    duration_ms=61_250,
    prompt_digest="p" * 64,
    answer_digest="b" * 64,
)
UNANSWERED = Usage(1, 0, 0, Decimal(0), 4_000, prompt_digest="p" * 64)
UNASKED = Usage(requests=0, input_tokens=0, output_tokens=0, cost_usd=Decimal(0), duration_ms=12)


class Stamps:
    """One stamp after the other, a second apart, by every kind of actor in turn."""

    ACTORS = (
        Actor(type="user", user_id=17),
        Actor(type="key", user_id=17, key_prefix="phx_golden00"),
        Actor(type="system", role="scanning"),
    )

    def __init__(self) -> None:
        self._count = 0

    def next(self) -> Stamp:
        self._count += 1
        return Stamp(
            recorded_at=BEGAN + timedelta(seconds=self._count),
            actor=self.ACTORS[self._count % len(self.ACTORS)],
            correlation_id=uuid5(NAMES, f"correlation {self._count // 3}"),
            environment_id=7,
            organization_id=ORGANIZATION,
            causation_id=f"message-{self._count}" if self._count % 2 else None,
        )


def text(name: str) -> TextRef:
    return TextRef(id=uuid5(NAMES, name), digest=f"{uuid5(NAMES, name).hex}{uuid5(NAMES, name).hex}")


def histories() -> Iterator[Aggregate]:
    """Aggregates that have recorded, between them, every event class in every shape that matters."""
    stamps = Stamps()
    yield from _accounts(stamps)
    scanner, deleted = _scanners(stamps)
    yield scanner
    yield deleted
    yield from _observations(stamps, scanner)
    yield from _actions(stamps)
    yield Recording.delete(7, "s-9", stamps.next())


def _accounts(stamps: Stamps) -> Iterator[Aggregate]:
    organization = Organization.create(ORGANIZATION, stamps.next(), name="Acme", monthly_quota=None)
    organization.set_quota(stamps.next(), 500)
    organization.grant(stamps.next(), 50, BEGAN + timedelta(days=30))
    yield organization
    environment = Environment.create(7, stamps.next(), name="Web", timezone="Europe/Madrid", project_token="phc_1")
    environment.rotate_token(stamps.next(), "phc_2")
    environment.set_retention(stamps.next(), 90)
    environment.set_retention(stamps.next(), None)
    mail: dict[str, Any] = {"key": "email", "type": "person", "operator": "not_icontains", "value": "@acme.example"}
    environment.set_test_accounts(stamps.next(), [mail])
    step: dict[str, Any] = {"event": "$autocapture", "text": "Kaufen", "text_matching": "contains"}
    environment.define_actions(stamps.next(), [{"id": 3, "name": "Bought", "steps": [step, {"event": "bought"}]}])
    yield environment
    yield User.create(17, stamps.next(), profile=text("profile"))
    key = ApiKey.issue(
        uuid5(NAMES, "key"),
        stamps.next(),
        user_id=17,
        label="ci",
        prefix="phx_golden00",
        key_hash="0" * 64,
        scopes=["replay_scanner:read", "session_recording:read"],
        environment_ids=[7],
        expires_at=BEGAN + timedelta(days=90),
    )
    key.revoke(stamps.next())
    yield key


def _scanners(stamps: Stamps) -> tuple[Scanner, Scanner]:
    scanner = Scanner.create(
        SCANNER,
        stamps.next(),
        name="Ärger am Checkout ✓",
        description="",
        scanner_type="scorer",
        scanner_config={"prompt": "How angry?", "scale": {"min": 0, "max": 10.5, "label": None}},
        query={"kind": "RecordingsQuery", "events": [{"id": "checkout"}], "filter_test_accounts": True, "limit": None},
        sampling_rate=0.29,
        model="gemini-3-flash-preview",
    )
    scanner.edit(stamps.next(), {"name": "Anger", "description": "At the checkout", "sampling_rate": 1})
    scanner.edit(stamps.next(), {"enabled": False})
    scanner.edit(stamps.next(), {"enabled": True, "emits_signals": True, "query": {}, "provider": "builtin"})
    scanner.skip_gap(stamps.next(), 4, 9, "quota_exhausted")
    scanner.redrive_gap(stamps.next(), gap_id(SCANNER, 4))
    deleted = Scanner.create(
        uuid5(NAMES, "deleted"),
        stamps.next(),
        name="Doomed",
        scanner_type="monitor",
        scanner_config={"prompt": "Why?"},
        model="builtin",
        provider="builtin",
    )
    deleted.delete(stamps.next())
    return scanner, deleted


def _actions(stamps: Stamps) -> Iterator[Aggregate]:
    action = Action.create(
        uuid5(NAMES, "action"),
        stamps.next(),
        name="Morning digest",
        scanner=SCANNER,
        trigger_config={"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0", "timezone": "Europe/Prague"},
        synthesis_config={"prompt_guide": "By step."},
        delivery_config=[{"type": "slack", "integration_id": 1, "channel": "#checkout"}],
    )
    action.edit(stamps.next(), {"name": "Digest", "selection": {"tags": ["a"]}, "enabled": False})
    action.edit(stamps.next(), {"trigger_config": {}, "scanner": uuid5(NAMES, "other"), "enabled": True})
    action.edit(stamps.next(), {"trigger_config": {"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0"}})
    yield from _runs(stamps, action)
    action.delete(stamps.next())
    yield action
    integration = Integration.create(1, stamps.next(), kind="slack", token=text("token"))
    integration.delete(stamps.next())
    yield integration
    yield from _ways_out(stamps)
    yield from _checks(stamps)


def _ways_out(stamps: Stamps) -> Iterator[Aggregate]:
    secret = WebhookSecret.create(3, stamps.next(), secret=text("webhook secret"))
    secret.retire(stamps.next())
    yield secret
    item: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example.org/x"}
    endpoint = Endpoint.register(7, item, stamps.next(), target=text("endpoint"))
    endpoint.disable(stamps.next(), reason="The endpoint is gone (410).", failing_since=BEGAN)
    endpoint.enable(stamps.next())
    yield endpoint


def _runs(stamps: Stamps, action: Action) -> Iterator[ActionRun]:
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


def _checks(stamps: Stamps) -> Iterator[Aggregate]:
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


def _observations(stamps: Stamps, scanner: Scanner) -> Iterator[Observation]:
    first, second, third, fourth = WORKERS
    why: dict[str, Any] = {"kind": "provider_transient", "message": "The provider did not answer."}
    succeeded = _requested(stamps, scanner, "s-1")
    succeeded.start(stamps.next(), run=1, try_number=1, lease_token=first, subject=text("subject"))
    succeeded.fail_try(stamps.next(), run=1, lease_token=first, retry_at=BEGAN + timedelta(minutes=5), **why)
    succeeded.start(stamps.next(), run=1, try_number=2, lease_token=second, subject=None)
    succeeded.fail(stamps.next(), run=1, lease_token=second, **why)
    succeeded.retry(stamps.next(), period="2026-12")
    succeeded.start(stamps.next(), run=2, try_number=1, lease_token=third, subject=None)
    succeeded.succeed(
        stamps.next(),
        run=2,
        lease_token=third,
        result={"scanner_type": "scorer", "score": 7, "label": None, "confidence": 0.75},
        text=text("answer"),
        signals_count=3,
        evidence_digest="e" * 64,
        prompt_digest="p" * 64,
        answer_digest="a" * 64,
        provider="builtin",
        model="builtin",
        input_tokens=1200,
        output_tokens=80,
        cost_usd=Decimal("0.000125"),
        duration_ms=1875,
        reused_from=None,
    )
    yield succeeded
    yield _reused(stamps, scanner, succeeded)
    short = _requested(stamps, scanner, "s-2")
    short.start(stamps.next(), run=1, try_number=1, lease_token=fourth, subject=None)
    short.judge_ineligible(stamps.next(), run=1, lease_token=fourth, kind="too_short", message="3 s.")
    yield short
    orphan = _requested(stamps, scanner, "s-3")
    orphan.fail(stamps.next(), run=1, lease_token=None, kind="orphaned", message="The workers stopped.")
    yield orphan
    running = _requested(stamps, scanner, "s-4")
    running.start(stamps.next(), run=1, try_number=1, lease_token=first, subject=None)
    yield running
    yield _unanswered(stamps, scanner)


def _reused(stamps: Stamps, scanner: Scanner, paid: Observation) -> Observation:
    reused = _requested(stamps, scanner, "s-5")
    reused.start(stamps.next(), run=1, try_number=1, lease_token=WORKERS[1], subject=None)
    reused.succeed(
        stamps.next(),
        run=1,
        lease_token=WORKERS[1],
        result={"scanner_type": "scorer", "score": 7, "label": None, "confidence": 0.75},
        text=text("same answer"),
        signals_count=0,
        evidence_digest="e" * 64,
        prompt_digest="p" * 64,
        answer_digest="a" * 64,
        provider="google",
        model="gemini-3-flash-preview",
        input_tokens=0,
        output_tokens=0,
        cost_usd=Decimal(0),
        duration_ms=12,
        reused_from=paid.id,
    )
    return reused


def _unanswered(stamps: Stamps, scanner: Scanner) -> Observation:
    """Tries that brought nothing, with what they took. The others of this history do not know, as of dead workers."""
    first, second, third, fourth = WORKERS
    later = BEGAN + timedelta(minutes=6)
    paid = _requested(stamps, scanner, "s-6")
    paid.start(stamps.next(), run=1, try_number=1, lease_token=first, subject=None)
    failure: dict[str, Any] = {"kind": "provider_transient", "message": "HTTP 503", "retry_at": later, "usage": USED}
    paid.fail_try(stamps.next(), run=1, lease_token=first, **failure)
    paid.start(stamps.next(), run=1, try_number=2, lease_token=second, subject=None)
    stopped: dict[str, Any] = {"kind": "infra_transient", "message": "Stopped.", "retry_at": later, "usage": UNANSWERED}
    paid.fail_try(stamps.next(), run=1, lease_token=second, **stopped)
    paid.start(stamps.next(), run=1, try_number=3, lease_token=third, subject=None)
    wrong: dict[str, Any] = {"kind": "validation_failed", "message": "The answer breaks a rule.", "usage": USED}
    paid.fail(stamps.next(), run=1, lease_token=third, **wrong)
    paid.retry(stamps.next(), period="2026-12")
    paid.start(stamps.next(), run=2, try_number=1, lease_token=fourth, subject=None)
    gone: dict[str, Any] = {"kind": "no_recording", "message": "There is no recording.", "usage": UNASKED}
    paid.judge_ineligible(stamps.next(), run=2, lease_token=fourth, **gone)
    return paid


def _requested(stamps: Stamps, scanner: Scanner, session_id: str) -> Observation:
    return Observation.request(
        stamps.next(),
        scanner_id=scanner.id,
        session_id=session_id,
        scanner_snapshot=scanner.snapshot(),
        triggered_by="schedule",
        period="2026-11",
    )


def state_of(aggregate: Aggregate) -> dict[str, Any]:
    """What a stream folds to, as JSON: every attribute but the events that are not saved yet."""
    attributes = {name.removeprefix("_"): value for name, value in vars(aggregate).items() if name != "_pending_events"}
    return {"class": type(aggregate).TOPIC, **JSON.dump_python(attributes, mode="json")}


def main() -> None:
    version = int(sys.argv[1])
    mapper = EventMapper()
    events, states = list[bytes](), dict[str, Any]()
    for aggregate in histories():
        for event in aggregate.collect_events():
            assert isinstance(event, Event)
            row = mapper.to_stored_event(event)
            line = {
                "stream_id": str(row.originator_id),
                "version": row.originator_version,
                "topic": row.topic,
                "state": row.state.decode(),
            }
            events.append(orjson.dumps(line))
        states[str(aggregate.id)] = state_of(aggregate)
    with (FOLDER / f"v{version}.jsonl").open("xb") as history:
        history.write(b"\n".join(events) + b"\n")
    with (FOLDER / f"v{version}.states.json").open("xb") as folded:
        folded.write(orjson.dumps(states, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
