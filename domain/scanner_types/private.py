"""Which part of a model output is private text about a recorded person (architecture 5)."""

from collections.abc import Mapping
from typing import Final

from domain.scanner_types.findings import KEY as FINDINGS

PRIVATE_KEYS: Final = frozenset(
    {
        "reasoning",
        "reasoning_segments",
        "summary",
        "summary_segments",
        "title",
        "intent",
        "outcome",
        "friction_points",
        "keywords",
        "tags_freeform",
    }
)
"""Free text. Everything else (verdict, tags, score, label, confidence) is structured and may live in an event."""

_ORDER: Final = (
    "scanner_type",
    "verdict",
    "tags",
    "tags_freeform",
    "score",
    "label",
    "title",
    "reasoning",
    "reasoning_segments",
    "summary",
    "summary_segments",
    "intent",
    "outcome",
    "friction_points",
    "keywords",
    "confidence",
)


def split_private(model_output: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """``(structured, private)``: what an event may hold, and what belongs into private text."""
    structured = {key: value for key, value in model_output.items() if key not in PRIVATE_KEYS}
    private = {key: value for key, value in model_output.items() if key in PRIVATE_KEYS}
    return structured, private


def join_private(structured: Mapping[str, object], private: Mapping[str, object] | None) -> dict[str, object]:
    """The model output again, in one fixed key order. ``private`` is None where the text was erased.

    Findings lie beside it and are no part of it (contract 4.2).
    """
    whole = {key: value for key, value in {**structured, **(private or {})}.items() if key != FINDINGS}
    rank = {key: place for place, key in enumerate(_ORDER)}
    return dict(sorted(whole.items(), key=lambda item: (rank.get(item[0], len(_ORDER)), item[0])))
