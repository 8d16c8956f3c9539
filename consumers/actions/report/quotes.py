"""What observations say in their own words: in short, and once for all that say nearly the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from consumers.actions.report.figures import tags_of
from consumers.actions.report.port import Noted
from consumers.actions.report.wording import clock
from domain.plain_text import one_line
from domain.scanner_types.titles import sentences

QUOTE_CHARS: Final = 260
"""Of one quotation. The first two or three sentences of most reasonings fit."""
ALIKE: Final = 0.5
"""Share of the words of two texts that must be the same (Jaccard) for one to speak for both: "shown" of two different
messages has less, of the same message at other times more."""

_MOMENTS: Final = re.compile(r"\s?\(t ([\d., ]+)\)")
_SECOND: Final = re.compile(r"\d+(?:\.\d+)?")
_WORD: Final = re.compile(r"[^\W\d_]{2,}")


@dataclass(slots=True)
class Saying:
    """One text, and everything that says nearly the same. `said` is in the order of the indexes."""

    leader: Noted
    said: list[Noted] = field(default_factory=list[Noted])


def text_of(noted: Noted) -> str:
    """The prose of an observation on one line, a summary's title before it; empty where it was erased."""
    output = noted.model_output
    prose, title = (
        one_line(str(text or "")).replace('\\"', '"')
        for text in (output.get("summary") or output.get("reasoning"), output.get("title"))
    )
    return f"{title}{'' if title.endswith(('.', '!', '?')) else '.'} {prose}".strip() if title else prose


def quote(noted: Noted) -> str:
    """The first sentences, each once, with its moments as players show them: `shown (0:40, 0:44)`."""
    told: dict[str, tuple[str, list[str]]] = {}
    for sentence in sentences(text_of(noted)):
        bare = _MOMENTS.sub("", sentence).rstrip(". ")
        shown, again = told.setdefault(bare, (_MOMENTS.sub(_shown, sentence).rstrip(". "), []))
        if shown != _MOMENTS.sub(_shown, sentence).rstrip(". "):
            again += _clocks(sentence)
    said = ""
    for shown, again in told.values():
        one = f"{shown.removesuffix(')')}, {', '.join(again)})" if again and shown.endswith(")") else shown
        more = f"{said}. {one}" if said else one
        if len(more) > QUOTE_CHARS:
            return f"{said}." if said else f"{one[: QUOTE_CHARS - 3].rstrip()}..."
        said = more
    return f"{said}." if said and said[-1] not in ".!?" else said


def _shown(moments: re.Match[str]) -> str:
    return f" ({', '.join(_clocks(moments[0]))})"


def _clocks(sentence: str) -> list[str]:
    """The moments that are cited in it."""
    return [clock(float(second)) for found in _MOMENTS.findall(sentence) for second in _SECOND.findall(found)]


def first_moment(noted: Noted) -> str:
    """The first second that is cited, as players show it; empty without any."""
    return next(iter(_clocks(text_of(noted))), "")


def sayings(noted: Iterable[Noted]) -> list[Saying]:
    """Those with text, grouped: the largest group first, of equal ones the more confident leader, then the earlier.

    The most confident speak for the others, which gave the same answer under a title that says nearly the same: what is
    said of the leader is cited for all of them. Compares each with each group's leader only.
    """
    groups: list[tuple[Noted, frozenset[str], Saying]] = []
    for one in sorted(noted, key=lambda each: (-confidence(each), each.index)):
        words = _words(text_of(one))
        if not words:
            continue
        near = (found for leader, those, found in groups if _alike(words, those) and _same_answer(one, leader))
        group = next(near, None)
        if group is None:
            group = Saying(one)
            groups.append((one, words, group))
        group.said.append(one)
    found = [group for *_, group in groups]
    for group in found:
        group.said.sort(key=lambda each: each.index)
    return sorted(found, key=lambda group: (-len(group.said), -confidence(group.leader), group.leader.index))


def confidence(noted: Noted) -> float:
    told = noted.model_output.get("confidence")
    return float(told) if isinstance(told, int | float) else 0.0


def indexes(noted: Sequence[Noted]) -> list[int]:
    return [one.index for one in noted]


def _same_answer(one: Noted, other: Noted) -> bool:
    mine, its = one.model_output, other.model_output
    if any(mine.get(key) != its.get(key) for key in ("verdict", "score")) or tags_of(mine) != tags_of(its):
        return False
    titles = [_words(str(output.get("title") or "")) for output in (mine, its)]
    return _alike(*titles)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_MOMENTS.sub("", text).lower()))


def _alike(words: frozenset[str], others: frozenset[str]) -> bool:
    return len(words & others) >= ALIKE * len(words | others)
