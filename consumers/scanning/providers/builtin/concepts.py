"""What a prompt is about: concepts, found by the classes of words (lexicon) that meet in one of its sentences."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from consumers.scanning.evidence.vocabulary import tone
from consumers.scanning.providers.builtin.lexicon import PATTERNS
from consumers.scanning.providers.builtin.prompt import KEPT, Ask, Part, negated

CLEAR: Final = 3.0
"""From this score on the prompt names its concept; below it only leans towards one."""
LEAST: Final = 2.0
"""A concept with less than this is at most a guess, made when nothing else answers the prompt."""
GUESS: Final = 1.0
NAMES: Final = 2.0
"""A negation counts where it stands before words of at least this weight."""
NEAR: Final = 90
"""Words of two classes belong together when at most so many characters apart."""
TIMED: Final = 1.5
"""A named time speaks for the two concepts that are about time."""
SPECIFIC: Final = 4.0
"""From this score on a kind of error takes the prompt from errors in general."""
QUOTED: Final = 4.0
"""A text in quotation marks is what a page would say: its tone names the concept."""


class _Rule(NamedTuple):
    """So much speaks for the concept where all classes meet; ``last`` ones only where no other rule does."""

    weight: float
    classes: tuple[str, ...]
    last: bool = False


def _rules(*rows: tuple[float, str]) -> tuple[_Rule, ...]:
    """Classes with a + between them; a ? before them makes a last resort."""
    return tuple(_Rule(w, tuple(text.removeprefix("?").split("+")), text.startswith("?")) for w, text in rows)


_RULES: Final[Mapping[str, tuple[_Rule, ...]]] = {
    "conversion": _rules((3, "buy"), (4, "offer+went_through"), (2.5, "joined")),
    "checkout_given_up": _rules((4.5, "checkout+undone")),
    "rage_click": _rules((5, "rage"), (4, "click+frenzy"), (4, "click+repeat"), (3, "beat+control"), (1, "frenzy")),
    "dead_click": _rules(
        (5, "dead"),
        (4, "click+no_effect"),
        (3, "control+no_effect"),
        (3.5, "click+not_a_control"),
        (2, "?click+missed"),
    ),
    "error_shown": _rules((4, "error+shown"), (3, "error+told"), (2, "plain_error"), (3, "apology")),
    "missing_page": _rules((5, "no_page")),
    "declined": _rules((4, "money_refused")),
    "denied": _rules((4, "rights+rights_lacking")),
    "javascript_error": _rules((4.5, "script+break"), (4.5, "uncaught+break"), (4, "exception")),
    "failed_request": _rules((4.5, "network+request_failed"), (3, "status"), (2, "network+status")),
    "form_abandoned": _rules((4.5, "form+undone"), (3, "enter+undone"), (-3, "told")),
    "validation_error": _rules((4, "validation"), (4, "form+invalid"), (4.2, "form+refused"), (3.5, "told_to_fix")),
    "lost_navigation": _rules((4, "lost"), (3.5, "hop+pages"), (2.5, "hunt+pages"), (2, "nothing_there+pages")),
    "empty_search": _rules((4, "search+empty"), (4, "no_results")),
    "slow_response": _rules((3, "slow"), (1.5, "slow+system"), (1.5, "take+system"), (1, "system+no_effect")),
    "idle": _rules((4, "idle"), (3.5, "no_activity")),
    "goal_missed": _rules((4, "gave_up"), (4, "goal+missed")),
    "task_completed": _rules((3.5, "goal+achieved")),
    "impatient_repeat": _rules((4.5, "impatient")),
    "quick_back": _rules((4.5, "quick_back")),
    "defect": _rules((3, "defect")),
    "friction": _rules((2.5, "friction")),
}
PAUSE_MS: Final = 10_000
"""A prompt that names nothing but a time of at least this much is about a pause."""
SEVERAL: Final = 3
"""Kinds of error, named one after the other, that make "any error"."""
_ALL_WELL: Final = re.compile(
    r"\b(?:all|every|each|always|any time|everything|everywhere)\b.{0,60}\b(?:succe\w+|work\w*|fine|ok|okay|effects?|"
    r"react\w*|respon\w*|answer\w*|return\w*|result\w*|found|find\w*|quick\w*|fast|prompt\w*|smooth\w*|through|valid|"
    r"accepted|deliver\w*|well)\b"
)
"""Says that nothing of the kind happened."""
_NONE: Final = re.compile(
    r"\b(?:was|were|is|are|be|had|saw|has|have) none\b|\bnone (?:was|were|is|are|of|show\w*|display\w*|appear\w*)\b"
)
_SMOOTH: Final = re.compile(
    r"\b(?:satisfied|happy|pleased|(?:went|go|goes|run|ran) (?:well|smoothly|fine)|"
    r"smooth (?:visit|session|experience))\b"
)
_TURNED: Final[Mapping[str, str]] = {
    "failed_request": r"network|requests?|apis?|calls?|responses?|servers?|fetch\w*",
    "dead_click": r"click\w*|press\w*|tap\w*|button\w*|control\w*",
    "empty_search": r"search\w*|filter\w*|quer\w+",
    "slow_response": r"app\w*|page\w*|site|answer\w*|respon\w*|load\w*|click\w*|action\w*",
}
_TONES: Final = {
    "empty": "empty_search",
    "declined": "declined",
    "denied": "denied",
    "validation": "validation_error",
    "server": "error_shown",
    "error": "error_shown",
    "missing_page": "error_shown",
}
_KINDS_OF_ERROR: Final = ("javascript_error", "failed_request", "validation_error", "declined", "denied")


@dataclass(frozen=True, slots=True)
class Match:
    """A concept a prompt is about. ``denied``: the prompt asks for its absence."""

    concept: str
    score: float
    denied: bool


class _Hit(NamedTuple):
    at: int
    end: int


@lru_cache(maxsize=KEPT)
def matches(ask: Ask) -> tuple[Match, ...]:
    """Concepts of a prompt, the best first; those below ``LEAST`` are guesses."""
    scores: dict[str, float] = dict.fromkeys(_RULES, 0.0)
    denied: dict[str, bool] = {}
    for part in ask.parts:
        found = {name: [_Hit(*m.span()) for m in pattern.finditer(part.text)] for name, pattern in PATTERNS.items()}
        for concept, rules in _RULES.items():
            score, turned = _score(part, rules, found)
            scores[concept] = (
                max(scores.get(concept, 0.0), score * part.weight)
                + min(scores.get(concept, 0.0), score * part.weight) * 0.25
            )
            denied[concept] = denied.get(concept, False) or turned or (score >= NAMES and bool(_NONE.search(part.text)))
        for concept in _turned(part):
            scores[concept] = max(scores.get(concept, 0.0), SPECIFIC * part.weight)
            denied[concept] = True
    for concept in _quoted(ask):
        scores[concept] = scores.get(concept, 0.0) + QUOTED
    if ask.duration_ms is not None:
        scores |= {name: scores[name] + TIMED for name in ("slow_response", "idle") if scores[name]}
        if max(scores.values()) < LEAST:
            # Nothing but a time: so long a wait is a pause of the person, a shorter one of the page.
            scores["idle" if ask.duration_ms >= PAUSE_MS else "slow_response"] = LEAST
    if any(_several_errors(part) for part in ask.parts if part.weight == 1):
        scores["error_shown"] += SPECIFIC
    elif max(scores[name] for name in _KINDS_OF_ERROR) >= max(SPECIFIC, scores["error_shown"]):
        scores["error_shown"] -= SPECIFIC - 1
    found_all = [Match(name, score, denied.get(name, False)) for name, score in scores.items() if score >= GUESS]
    return tuple(sorted(found_all, key=lambda match: -match.score))


def _score(part: Part, rules: tuple[_Rule, ...], found: Mapping[str, list[_Hit]]) -> tuple[float, bool]:
    score, turned = 0.0, False
    for rule in rules:
        first = None if rule.last and score else _met(rule.classes, found)
        if first is not None:
            score += rule.weight
            turned |= rule.weight >= NAMES and negated(part.text, first)
    return score, turned


def _met(classes: tuple[str, ...], found: Mapping[str, list[_Hit]]) -> int | None:
    """Where the words of all classes first stand near each other; each class needs words of its own."""
    if len(classes) == 1:
        return found[classes[0]][0].at if found[classes[0]] else None
    for one in found[classes[0]]:
        for other in found[classes[1]]:
            apart = max(one.at, other.at) - min(one.end, other.end)
            if 0 <= apart <= NEAR:
                return min(one.at, other.at)
    return None


def _several_errors(part: Part) -> bool:
    """A message of any of several kinds, named one after the other, is an error in general."""
    kinds = {match.group()[:4] for match in PATTERNS["error"].finditer(part.text)}
    return len(kinds) >= SEVERAL and bool(PATTERNS["shown"].search(part.text)) and " or " in part.text


def _turned(part: Part) -> Iterator[str]:
    """Concepts whose absence a sentence such as "did every click have an effect" asks for."""
    if _SMOOTH.search(part.text):
        yield "friction"
    for match in _ALL_WELL.finditer(part.text):
        for concept, words in _TURNED.items():
            if re.search(rf"\b(?:{words})\b", match.group()) and not re.search(r"\bnot?\b|n't\b", match.group()):
                yield concept


def _quoted(ask: Ask) -> Iterator[str]:
    for text in ask.quotes:
        concept = _TONES.get(tone(text))
        if concept is not None:
            yield concept
