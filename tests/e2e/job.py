"""The main job in steps: a scanner, a recording, an observation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.live import Installation, posts

ENDED = ("succeeded", "failed", "ineligible")

CONFIGS: dict[str, dict[str, Any]] = {
    "monitor": {"prompt": "Was an error message shown to the visitor?", "allow_inconclusive": True},
    "classifier": {"prompt": "What was the outcome?", "tags": ["converted", "blocked by bug", "browsing only"]},
    "scorer": {"prompt": "How frustrated was the user?", "scale": {"min": 0, "max": 10}},
    "summarizer": {"prompt": "What happened?"},
}


def create(live: Installation, name: str, scanner_type: str, **fields: Any) -> dict[str, Any]:
    body = {
        "name": name,
        "scanner_type": scanner_type,
        "scanner_config": CONFIGS[scanner_type],
        "provider": "builtin",
        "model": "builtin",
        **fields,
    }
    answer = live.call("POST", "scanners/", body)
    assert answer.status == 201, answer.body
    return answer.body


def send(live: Installation, recording: Path) -> str:
    """Posts the bodies of one sample as its browser did; returns the session id."""
    for body, query, content_type in posts(recording, live.credentials["project_token"]):
        answer = live.post_recording(body, query, content_type)
        assert answer.status == 200, answer.body
    return recording.name.removesuffix(".jsonl.gz")


def ended(live: Installation, scanner_id: str, session_id: str) -> dict[str, Any] | None:
    found = [o for o in live.observations(scanner_id) if o["session_id"] == session_id and o["status"] in ENDED]
    return found[0] if found else None
