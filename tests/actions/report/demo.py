"""What the demo's scanners find in the committed demo recordings, by the built-in analyser, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from api.cli.demo import SCANNERS
from consumers.actions.report import Material, Noted
from consumers.capture.messages.snapshot import from_message
from consumers.capture.wire.inflate import inflate_event
from consumers.capture.wire.readable import readable
from consumers.scanning.evidence import Evidence, build_evidence
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Question
from consumers.transports.port import Record
from domain.scanner_types import model_output
from tests.capture.traffic import ROOT, recorded

START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
END = START + timedelta(days=1)
SESSIONS = [path.name.split(".")[0] for path in sorted((ROOT / "recordings").glob("*.jsonl.gz"))]


@cache
def evidence(session_id: str) -> Evidence:
    found: list[tuple[int, str, Any]] = []
    for place, message in enumerate(recorded(f"recordings/{session_id}.jsonl.gz")):
        snapshot = from_message(Record("t", 0, place, message.key, message.value, message.all_headers(), START))
        read = filter(None, map(readable, snapshot.items))
        found += [(time, snapshot.window_id, inflate_event(event)) for time, event in read]
    return build_evidence([(window, event) for _, window, event in sorted(found, key=lambda one: one[0])])


@cache
def answers(scanner_type: str) -> list[dict[str, Any]]:
    """The model output of each demo session, in the order of SESSIONS."""
    scanner = next(one for one in SCANNERS if one["scanner_type"] == scanner_type)
    question = Question(scanner_type, scanner["scanner_config"])
    found: list[dict[str, Any]] = []
    for session_id in SESSIONS:
        seen = evidence(session_id)
        answer = BuiltinProvider().analyse(question, seen)
        found.append(model_output(scanner_type, scanner["scanner_config"], answer.output, seen.duration_ms))
    return found


def name(scanner_type: str) -> str:
    return next(str(one["name"]) for one in SCANNERS if one["scanner_type"] == scanner_type)


def noted(outputs: list[dict[str, Any]], scanner: str = "", first: int = 1) -> list[Noted]:
    return [
        Noted(
            index=first + place,
            id=UUID(int=first + place),
            session_id=SESSIONS[place % len(SESSIONS)],
            created_at=START + timedelta(minutes=11 * place),
            title="",
            model_output=output,
            scanner=scanner,
        )
        for place, output in enumerate(outputs)
    ]


def material(observations: list[Noted], scanner_type: str = "monitor", **other: Any) -> Material:
    given: dict[str, Any] = {
        "action_name": "Morning digest",
        "scanner_name": name(scanner_type),
        "scanner_type": scanner_type,
        "timezone": "Europe/Prague",
        "prompt_guide": "",
        "window_start": START,
        "window_end": END,
        "matched": len(observations),
        "observations": observations,
        **other,
    }
    return Material(**given)
