"""Recorded sessions with expected truth: real browser recordings of invented sites, events inflated."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from consumers.scanning.evidence import Evidence, build_evidence

FOLDER = Path(__file__).parent / "fixtures"
TRUTH: dict[str, Any] = json.loads((FOLDER / "truth.json").read_text())
SESSIONS: list[str] = sorted(TRUTH["sessions"])


def events(name: str) -> list[tuple[str, Any]]:
    lines = gzip.decompress((FOLDER / f"{name}.jsonl.gz").read_bytes()).splitlines()
    return [tuple(json.loads(line)) for line in lines]


@cache
def evidence(name: str) -> Evidence:
    return build_evidence(events(name))
