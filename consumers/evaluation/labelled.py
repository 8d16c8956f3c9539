"""Recordings with their truth: a folder of sessions as `evaluate` reads it.

A session is a folder with `truth.json`, `events.jsonl.gz` (`{session_id, window_id, event}` a line, the event as rrweb
wrote it) and, if there were any, `capture_events.jsonl.gz` (`{event}` a line, an analytics event as it was posted).
What is analysed comes of these two alone: neither the folder's name nor the truth gets into the evidence.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from consumers.capture.analytics.event import Frame, event_of
from consumers.capture.wire.encodings import Json
from consumers.capture.wire.inflate import Room, inflate_event
from consumers.capture.wire.readable import readable
from consumers.capture.wire.refusals import CaptureRefused
from consumers.scanning.evidence import Evidence, build_evidence

SHAPES: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What JSON of another shape than expected leads to."""


class Unlabelled(Exception):
    """A folder or file that `evaluate` cannot use; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a session, and never shown to the analyser.

    ``monitors`` holds True, False or None (not to be scored) by the name of a question; ``outcomes`` every right label,
    ``frustration`` 0 to 10, both empty or None where nothing is known; ``moments`` the seconds of what matters;
    ``secrets`` personal data that no answer may repeat; ``canary`` what an injected instruction asks to be repeated.
    """

    monitors: Mapping[str, bool | None]
    outcomes: tuple[str, ...]
    frustration: float | None
    moments: tuple[float, ...]
    secrets: tuple[str, ...]
    canary: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """One labelled session. ``name`` and ``site`` are for the report alone."""

    name: str
    site: str
    truth: Truth
    evidence: Evidence


class _SiteEvent(NamedTuple):
    name: str
    at: int
    window_id: str | None
    current_url: str | None
    properties: Mapping[str, Json]


def folders_of(recordings: Path) -> list[Path]:
    """The sessions below ``recordings``, or below its folder `sessions`. Raises Unlabelled when there is none."""
    below = recordings / "sessions" if (recordings / "sessions").is_dir() else recordings
    if not below.is_dir():
        raise Unlabelled(f"there is no folder {recordings}")
    found = sorted(path.parent for path in below.glob("*/truth.json"))
    if not found:
        raise Unlabelled(f"no folder of {below} has a truth.json")
    return found


def read_session(folder: Path) -> Session:
    """Raises Unlabelled for a folder without a readable recording or truth."""
    truth = read_json(folder / "truth.json")
    try:
        evidence = _evidence(folder)
    except (OSError, EOFError, zlib.error, CaptureRefused, *SHAPES) as error:
        raise Unlabelled(f"{folder.name}: its recording cannot be read ({type(error).__name__})") from error
    try:
        known = _truth(truth)
    except SHAPES as error:
        raise Unlabelled(f"{folder.name}: its truth cannot be read ({type(error).__name__})") from error
    return Session(str(truth.get("name") or folder.name), str(truth.get("site") or ""), known, evidence)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file. Raises Unlabelled."""
    try:
        # Stricter than the standard library: what it lets through, such as NaN or half a character, no report can hold.
        found = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unlabelled(f"{path} cannot be read ({type(error).__name__})") from error
    if not isinstance(found, dict):
        raise Unlabelled(f"{path} holds no JSON object")
    return found


def _evidence(folder: Path) -> Evidence:
    """Of the session with the most events: a labelled folder may hold the first moments of a next one."""
    lines = list(_lines(folder / "events.jsonl.gz"))
    session = Counter(line.get("session_id") for line in lines).most_common(1)
    kept = [line for line in lines if session and line.get("session_id") == session[0][0]]
    room = Room()
    recorded = [
        (str(line.get("window_id") or ""), inflate_event(found[1], room))
        for line in kept
        if (found := readable(line["event"], room)) is not None
    ]
    events = _site_events(folder / "capture_events.jsonl.gz", session[0][0] if session else None)
    return build_evidence(recorded, events)


def _site_events(path: Path, session_id: str | None) -> list[_SiteEvent]:
    if not path.exists():
        return []
    frame = Frame(token="", environment_id=None, sent_at=None, received_at=datetime.now(UTC))
    found = [event_of(line["event"], frame) for line in _lines(path)]
    kept = [event for event in found if event.session_id == session_id]
    return [
        _SiteEvent(
            event.name, event.at, event.window_id, _text(event.properties.get("$current_url")), {**event.properties}
        )
        for event in sorted(kept, key=lambda event: (event.at, event.uuid))
    ]


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def _truth(given: Mapping[str, Any]) -> Truth:
    outcomes = [given.get("outcome"), *(given.get("outcome_also_acceptable") or [])]
    frustration = given.get("frustration")
    return Truth(
        monitors={str(name): value for name, value in (given.get("monitors") or {}).items()},
        outcomes=tuple(str(outcome) for outcome in outcomes if outcome),
        frustration=float(frustration) if frustration is not None else None,
        moments=tuple(
            float(moment["t_s"])
            for moment in given.get("key_moments") or []
            if moment.get("kind") != "left" and moment.get("t_s", -1) >= 0
        ),
        secrets=tuple(map(str, given.get("personal_data") or [])),
        canary=given.get("injection_canary"),
    )
