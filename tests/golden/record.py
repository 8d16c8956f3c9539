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
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid5

import orjson
from pydantic import TypeAdapter

from commands.store.mapper import EventMapper
from domain.accounts import ApiKey, Environment, Organization, User
from domain.action import Action
from domain.endpoint import Endpoint
from domain.event import Aggregate, Event
from domain.ids import gap_id
from domain.integration import Integration
from domain.recording import Recording
from domain.scanner import Scanner
from domain.webhook_secret import WebhookSecret

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.golden.observations import observations
from tests.golden.runs import checks, runs
from tests.golden.stamps import BEGAN, NAMES, ORGANIZATION, SCANNER, Stamps, text

FOLDER = Path(__file__).parent
JSON = TypeAdapter(dict[str, Any])


def histories() -> Iterator[Aggregate]:
    """Aggregates that have recorded, between them, every event class in every shape that matters."""
    stamps = Stamps()
    yield from _accounts(stamps)
    scanner, deleted = _scanners(stamps)
    yield scanner
    yield deleted
    yield from observations(stamps, scanner)
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
    yield from runs(stamps, action)
    action.delete(stamps.next())
    yield action
    integration = Integration.create(1, stamps.next(), kind="slack", token=text("token"))
    integration.delete(stamps.next())
    yield integration
    yield from _ways_out(stamps)
    yield from checks(stamps)


def _ways_out(stamps: Stamps) -> Iterator[Aggregate]:
    secret = WebhookSecret.create(3, stamps.next(), secret=text("webhook secret"))
    secret.retire(stamps.next())
    yield secret
    item: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example.org/x"}
    endpoint = Endpoint.register(7, item, stamps.next(), target=text("endpoint"))
    endpoint.disable(stamps.next(), reason="The endpoint is gone (410).", failing_since=BEGAN)
    endpoint.enable(stamps.next())
    yield endpoint


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
