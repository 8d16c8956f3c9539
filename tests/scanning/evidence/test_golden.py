"""Digests of the evidence of committed recordings: a change of the text that nobody meant is seen here.

A change that is meant: run this file as a script (`python -m tests.scanning.evidence.test_golden`), look at what it
prints, and commit `golden.json` with the change. Old observations keep the digest of the text that they judged.
"""

import json
import sys
from pathlib import Path

import pytest

from consumers.scanning.evidence import build_evidence
from tests.scanning.recorded import SESSIONS, events, evidence

GOLDEN = Path(__file__).parent / "golden.json"


def digests() -> dict[str, str]:
    return {name: evidence(name).digest for name in SESSIONS}


@pytest.mark.parametrize("name", SESSIONS)
def test_the_digest_is_the_committed_one(name: str) -> None:
    assert evidence(name).digest == json.loads(GOLDEN.read_text())[name]


def test_every_recording_has_one() -> None:
    assert sorted(json.loads(GOLDEN.read_text())) == SESSIONS


def test_masking_is_part_of_what_is_digested() -> None:
    name = "personal_data_on_page"
    assert build_evidence(events(name), masked=False).digest != evidence(name).digest


if __name__ == "__main__":
    before = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    GOLDEN.write_text(json.dumps(digests(), indent=2) + "\n")
    for name, digest in digests().items():
        if before.get(name) != digest:
            sys.stdout.write(f"\n=== {name}\n{evidence(name).text}")
