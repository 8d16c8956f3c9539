"""A prompt that asks for one thing or another: "did a request fail or a payment get declined"."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from consumers.scanning.providers.builtin.concepts import CLEAR, matches
from consumers.scanning.providers.builtin.prompt import ASIDE, KEPT, Ask, Part

MAX_CLAUSES: Final = 12
"""More things than anybody asks for in one sentence. Ours."""
_OR: Final = re.compile(r"\s*[,;]?\s+or\s+(?:else\s+)?|\s*[,;]\s+")
_GENERAL: Final = frozenset({"defect", "friction"})
"""They hold the others: "broken or refused calls" is no choice between a defect and a request."""
_MESSAGES: Final = 3
"""Kinds of errors that a message is about, one after the other, are not alternatives to the message."""


@lru_cache(maxsize=KEPT)
def alternatives(ask: Ask) -> tuple[str, ...]:
    """The concepts of which any one is enough, as they are asked; none unless there are two and more.

    Each stands in a clause of its own that names it without the help of the others. Where one of them is asked to be
    absent, the prompt is no such choice. ``ask`` has a concept (``matches``).
    """
    found: dict[str, None] = {}
    for part in ask.parts:
        clauses = _OR.split(part.text) if part.weight > ASIDE and " or " in part.text else []
        if len(clauses) >= _MESSAGES and matches(ask)[0].concept == "error_shown":
            return ()
        for clause in clauses[:MAX_CLAUSES]:
            best = next(iter(matches(replace(ask, parts=(Part(clause, 1.0),), quotes=()))), None)
            if best is None or best.score < CLEAR or best.concept in _GENERAL:
                continue
            if best.denied:
                return ()
            found[best.concept] = None
    return tuple(found) if len(found) > 1 and not ask.fewer else ()
