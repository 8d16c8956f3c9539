"""Signal findings: problems a scanner with ``emits_signals`` reports beside its answer (engine 4.5).

They are told in the same answer, judged one by one, and never fail it: a bad one is left out. What is structured may
live in an event, headline and description are private text about a recorded person (architecture 5).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, cast

from pydantic import Field, ValidationError

from domain.scanner_types.citations import TOLERANCE_S, cut
from domain.scanner_types.defang import defang, defang_line
from domain.scanner_types.rules import ClosedAnswer, Confidence

KEY: Final = "findings"
"""Where they lie, both in an observation's structured result and in its private text."""
MAX_FINDINGS: Final = 20
"""More in one answer are left out: the first are kept."""
FLOOR: Final = 0.4
"""Lowest confidence that is kept (engine 4.5)."""
HEADLINE_WORDS: Final = 8
HEADLINE_MAX_CHARS: Final = 120
DESCRIPTION_MAX_CHARS: Final = 1_000

ProblemType = Literal["bug", "crash", "design_flaw", "ux_friction"]
Second = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Finding(ClosedAnswer):
    """``start_time`` to ``end_time`` in seconds since the first event."""

    description: Annotated[str, Field(min_length=1, max_length=DESCRIPTION_MAX_CHARS)]
    problem_type: ProblemType
    start_time: Second
    end_time: Second
    headline: Annotated[str, Field(min_length=1, max_length=HEADLINE_MAX_CHARS)]
    confidence: Confidence


def findings(told: object, duration_ms: int) -> list[Finding]:
    """Those of the findings that hold: of the right shape, inside the recording, confident enough; made inert.

    Second marks are taken out of the description, an end within a second after the recording's is moved onto it.
    """
    kept: list[Finding] = []
    for item in cast(list[object], told) if isinstance(told, list) else []:
        finding = _finding(item, duration_ms)
        if finding is not None and finding.confidence >= FLOOR:
            kept.append(finding)
    return kept[:MAX_FINDINGS]


def split_findings(kept: Sequence[Finding]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """``(structured, private)``, in the same order: what an event may hold, and what belongs into private text."""
    private = {"headline", "description"}
    return [one.model_dump(exclude=private) for one in kept], [one.model_dump(include=private) for one in kept]


def join_findings(result: Mapping[str, object], private: Mapping[str, object] | None) -> list[dict[str, object]]:
    """The findings of an observation again; without their text where that was erased."""
    told = cast(list[dict[str, object]], result.get(KEY) or [])
    texts = cast(list[dict[str, object]], (private or {}).get(KEY) or [])
    return [{**one, **(texts[place] if place < len(texts) else {})} for place, one in enumerate(told)]


def _finding(item: object, duration_ms: int) -> Finding | None:
    try:
        told = Finding.model_validate(item)
    except ValidationError:
        return None
    last = duration_ms / 1000
    description = "".join(
        part["value"] for part in cut(defang(told.description), duration_ms)[1] if part["kind"] == "text"
    )
    headline = " ".join(defang_line(told.headline).split()[:HEADLINE_WORDS])
    if not description.strip() or not headline or not told.start_time <= told.end_time <= last + TOLERANCE_S:
        return None
    return told.model_copy(
        update={
            "description": description.strip(),
            "headline": headline,
            "start_time": min(told.start_time, last),
            "end_time": min(told.end_time, last),
        }
    )
