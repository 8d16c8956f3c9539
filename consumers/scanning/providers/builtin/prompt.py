# ruff: noqa: E501 - patterns: each list of words stays together
"""Reading an operator's prompt: what it leaves out, which numbers it names, how it is cut."""

import re
from dataclasses import dataclass
from typing import Final

MAX_PROMPT_CHARS: Final = 4_000
"""How much of a prompt is read; the question comes first in practice."""

MAX_COUNT: Final = 50
"""More times than this are no threshold anybody means."""

_EXCLUDED_SENTENCE = re.compile(
    r"\b(?:do(?:es)?|should|must|need|will)(?: not|n't) (?:be )?(?:count|matter|qualify|included?|considered|flag)|"
    r"\b(?:is|are)(?: not|n't) (?:an? |considered |counted )?(?:\w+ ){0,2}(?:message|error|failure|form|case|problem|match|one|that|this)\b",
    re.IGNORECASE,
)
_EXCLUDED_PART = re.compile(
    r"\(\s*(?:not|except|excluding|ignoring|ignore|other than)\b[^)]*\)"
    r"|[,;:(]?\s*\b(?:ignore|ignoring|except(?: for)?|excluding|exclude|not counting|not including|leaving out|leave out|disregard(?:ing)?|"
    r"apart from|other than|as opposed to|rather than|unlike)\b[^.;)?!]*"
    r"|,\s*not\s+(?!(?:at|yet)\b)[^,.;)?!]*",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\(([^)]*)\)")
_NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60,
    "ninety": 90, "twice": 2, "thrice": 3, "couple of": 2, "few": 3, "half a": 0.5, "quarter of a": 0.25,
    "a quarter of a": 0.25, "three quarters of a": 0.75,
}  # fmt: skip
_NUMBER_WORDS = "|".join(sorted((re.escape(word) for word in _NUMBERS), key=len, reverse=True))
_DURATION = re.compile(
    rf"(?<![\w.])(\d+(?:\.\d+)?|{_NUMBER_WORDS})[ -]*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b",
    re.IGNORECASE,
)
_UNITS: Final = {"m": 60_000, "s": 1_000}
_COUNT = re.compile(
    rf"\b(?:at least |more than |over |minimum (?:of )?)?(\d+|{_NUMBER_WORDS})(?: or more)? (?:or more )?(?:\w+ )?"
    r"(?:times|clicks?|hits|taps|presses|errors?|failures?|attempts?|searches|requests?|bursts?|refusals?|messages)\b"
    r"|\b(twice|thrice)\b",
    re.IGNORECASE,
)
_NEGATOR = re.compile(
    r"\b(?:no|not|without|never|zero|free (?:of|from)|fail(?:ed|s)? to|unable to|didn't|doesn't|did not|does not|wasn't|weren't|"
    r"avoid(?:ed|s)?|lack(?:ed|s)?(?: of)?|absence of)(?: (?:any|a|an|the|single|ever|to|kind|of|make|making|have|having|see|seeing|get|getting|"
    r"encounter|encountering|experience|experiencing|run|running|into|hit|hitting|complete|completing|single|visible|real|further|"
    r"obvious|some|sign|signs|user)){0,5}\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt, read.

    ``main`` is what it asks, ``asides`` what stands in brackets, both lower-case and without what the
    prompt excludes; ``duration_ms`` and ``count`` are thresholds it names, None where it names none.
    """

    main: str
    asides: str
    duration_ms: int | None
    count: int | None


def read(prompt: str) -> Ask:
    text = " ".join(prompt[:MAX_PROMPT_CHARS].lower().replace("\u2019", "'").split())
    sentences = [s for s in re.split(r"(?<=[.?!])\s+", text) if s and not _EXCLUDED_SENTENCE.search(s)] or [text]
    kept = " ".join(_EXCLUDED_PART.sub(" ", sentence) for sentence in sentences)
    asides = " ".join(match.group(1) for match in _ASIDE.finditer(kept))
    return Ask(_ASIDE.sub(" ", kept), asides, _duration(kept), _count(kept))


def negated(text: str, at: int) -> bool:
    """Whether a negation stands right before position ``at``."""
    return bool(_NEGATOR.search(text[max(0, at - 60) : at]))


def _duration(text: str) -> int | None:
    found = [_value(number) * _UNITS[unit[0]] for number, unit in _durations(text)]
    return round(max(found)) if found else None


def _durations(text: str) -> list[tuple[str, str]]:
    pairs = [(m.group(1), m.group(2).lower()) for m in _DURATION.finditer(text)]
    return [(number, unit) for number, unit in pairs if unit != "ms" and not unit.startswith("milli")]


def _count(text: str) -> int | None:
    match = _COUNT.search(text)
    if match is None:
        return None
    value = _value((match.group(1) or match.group(2)).lower())
    return int(value) if 1 <= value <= MAX_COUNT and match.group(1) not in ("a", "an", "one") else None


def _value(number: str) -> float:
    return _NUMBERS[number] if number in _NUMBERS else float(number)
