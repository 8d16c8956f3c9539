"""Messages that tests deliver."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from consumers.delivery.port import Kind, Message

NOW = datetime(2026, 11, 27, 9, 0, 0, 250_000, tzinfo=UTC)
RUN = UUID("0197b2aa-9a01-7c44-b1d2-7e0e5a6b1c55")
REPORT = "## TL;DR\n\nThe payment failed in **3** sessions [obs 1].\n\n- Declined\n- Slow & <odd>\n"


def message(kind: Kind = "replay_vision.digest", markdown: str = REPORT, run: UUID = RUN, **data: Any) -> Message:
    given = {
        "vision_action_id": "0197b2aa-0000-7c44-b1d2-7e0e5a6b1c55",
        "run_id": str(run),
        "scanner_id": "0197a3c0-52f1-7e0a-8f0b-6f1f2d9c1a44",
        "action_name": "Morning digest",
        "scanner_name": "Checkout",
        "observation_count": 3,
        "report": markdown,
        "run_url": f"https://vision.example.org/runs/{run}",
        **data,
    }
    return Message(run, kind, NOW, given, markdown)
