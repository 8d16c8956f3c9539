"""Summarizer: a title, a summary and four facets of a recording."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from domain.scanner_types.defang import defang_line
from domain.scanner_types.rules import ClosedAnswer, Confidence, Prose, check_keys, check_prompt, refuse

KEYS: Final = frozenset({"prompt", "length"})
LENGTHS: Final = ("short", "medium", "long")
PROSE: Final = ("summary",)
TITLE_MAX_CHARS: Final = 120

Facet = Annotated[str, Field(max_length=500)]


class Output(ClosedAnswer):
    summary: Prose
    title: Annotated[str, Field(min_length=1, max_length=TITLE_MAX_CHARS)]
    intent: Facet = ""
    outcome: Facet = ""
    friction_points: Annotated[list[Facet], Field(max_length=50, default_factory=list[str])]
    keywords: Annotated[list[Facet], Field(max_length=15, default_factory=list[str])]
    confidence: Confidence


def check_config(config: Mapping[str, object]) -> None:
    check_prompt(config)
    if "length" in config and config["length"] not in LENGTHS:
        refuse("The scanner configuration is invalid.")
    check_keys(config, KEYS)


def problems(output: Output) -> list[str]:
    return [] if defang_line(output.title) else ["title: must not be blank"]


def fields(output: Output) -> dict[str, object]:
    """Facets are one line each; those of nothing are left out. A broken-up link may be longer than the link was."""
    return {
        "title": _cut(defang_line(output.title), TITLE_MAX_CHARS),
        "summary": output.summary,
        "intent": defang_line(output.intent),
        "outcome": defang_line(output.outcome),
        "friction_points": _lines(output.friction_points),
        "keywords": _lines(output.keywords),
    }


def _lines(texts: list[str]) -> list[str]:
    return [line for line in (defang_line(text.lower()) for text in texts) if line]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
