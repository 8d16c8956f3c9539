# ruff: noqa: E501 - patterns: each list of words stays together
"""Reading an operator's prompt: what it asks, what it only mentions, what it leaves out, which numbers it names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_PROMPT_CHARS: Final = 4_000
"""How much of a prompt is read; the question comes first in practice."""

KEPT: Final = 256
"""Prompts that are kept read: a scanner asks the same of every session."""

MAX_COUNT: Final = 50
"""More times than this are no threshold anybody means."""

MAX_NUMBER: Final = 1e6
"""Larger numbers are taken for this one: a prompt may hold one with more digits than a number of ours can have."""

ASIDE: Final = 0.4
"""What stands in brackets, or is listed as an example, explains and counts less."""
CONTEXT: Final = 0.5
"""So does a sentence that asks nothing, where another one does."""
LISTED: Final = 2
"""Commas that make a list of what stands behind a colon."""

_EXCLUDED_SENTENCE = re.compile(
    r"\b(?:do(?:es)?|should|must|need|will)(?: not|n't) (?:be )?(?:count|matter|qualify|included?|considered|flag)|"
    r"\b(?:is|are)(?: not|n't) (?:an? |considered |counted )?(?:\w+ ){0,2}(?:message|error|failure|form|case|problem|match|one|that|this)\b|"
    r"^(?:please )?(?:ignore|disregard|exclude|leave out|don't count|do not count|skip)\b",
    re.IGNORECASE,
)
_EXCLUDED_PART = re.compile(
    r"\(\s*(?:not|no|except|excluding|ignoring|ignore|other than)\b[^)]*\)"
    r"|(?:^|[,;:(]\s*|\b(?:and|please)\s+)(?:ignore|exclude|leave out|disregard)\b[^,.;)?!]*"
    r"|[,;:(]?\s*\b(?:ignoring|except(?: for)?|excluding|not counting|not including|leaving out|disregarding|"
    r"apart from|other than|as opposed to|rather than|unlike|instead of|no matter (?:which|what|how|where|why)|regardless of|whatever|however)\b[^,.;)?!]*"
    r"|,\s*(?:but )?not\s+(?!(?:at|yet|been|be|to|able|just|\w+ing)\b)[^,.;)?!]*",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\(([^)]*)\)")
_EXAMPLES = re.compile(r"(?:,\s*)?\b(?:such as|for example|for instance|e\.g\.|like when|including)\s+([^?;)]*)")
_LIST = re.compile(r":\s*([^?;:]*)")
_QUOTE = re.compile(r"[\"“”„«»]([^\"“”„«»]{2,120})[\"“”„«»]|(?<!\w)'([^']{3,120})'(?!\w)")
_NOT = re.compile(r"\b(\w+?)n(?:'t|ot)\b")
_IRREGULAR: Final = {"ca": "can", "wo": "will", "sha": "shall"}
_ABBREVIATION = re.compile(r"\b(i\.e|e\.g|vs|etc|approx|incl|resp)\.", re.IGNORECASE)
_ASKS = re.compile(
    r"\?$|^(?:and |so |then |please )?(?:flag|tell|say|report|return|answer|find|look|check|detect|identify|mark|show|list|spot|give|decide|determine|"
    r"let me|note|see|pick|watch|respond|output|select|highlight|count|i want|i'd like|i would like|i need|we need|we want|i'm looking|i am looking)\b",
    re.IGNORECASE,
)
_BACK_REFERENCE = re.compile(
    r"^(?:\w+ ){0,3}?(?:does|do|did|is|was|has|were|are|can)\b(?:n't)?(?: \w+){0,2}? (?:that|this|such a \w+|any of (?:that|this|these|those|it)|one|it|so|likewise|the same)\b(?! (?:page|site|user|visitor|person|session|visit|recording|customer|shopper)\b.{12})[^,]{0,40}\?$",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(
    r"\b(?:please |just |only |simply |kindly )*(?:"
    r"(?:say|answer|return|respond|reply|output)(?: with)? ['\"]?(?:yes|true|1)['\"]?(?:(?:/| or |, )['\"]?(?:no|false|0)['\"]?)? ?(?:if|when|where|whenever|in case|for|otherwise)?|"
    r"(?:say|answer|return|respond|reply|output)(?: with)? ['\"]?(?:no|false)['\"]?(?= if| when| where| otherwise|[.,;!]|$)|"
    r"(?:tell|let) (?:me|us)(?: know)? (?:if|whether|when|about)?|(?:i|we)(?:'d| would)? (?:want|need|like|have) to (?:know|find out|find|see|hear|catch)(?: about)?(?: if| whether| one thing| about| from)?|"
    r"(?:flag|report|mark|find|list|show(?: me)?|identify|detect|highlight|select|pick|catch|spot|look for|i am looking for|i'm looking for|decide|determine|check|see|note) (?:it |out |for |all |every |any |me )*(?:if|whether|when|where|sessions?|visits?|recordings?|people|users|visitors|customers|those|everyone|anyone|cases)\b(?: (?:who|that|which|where|in which|when|with))?|"
    r"(?:would|could|can) you (?:please )?(?:say|tell|check|see)(?: (?:me|us))?(?: if| whether| that)?|do we see|do you see|is there (?:any )?(?:evidence|sign|indication|proof)s? (?:of|that)|any signs? of|sessions? (?:in which|where|with)|yes/no|y/n|true/false|otherwise no|no otherwise)(?!\w)",
    re.IGNORECASE,
)
_NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45, "fifty": 50, "sixty": 60,
    "ninety": 90, "twice": 2, "thrice": 3, "couple of": 2, "a couple of": 2, "few": 3, "a few": 3, "half a": 0.5, "quarter of a": 0.25,
    "a quarter of a": 0.25, "three quarters of a": 0.75,
}  # fmt: skip
_NUMBER_WORDS = "|".join(sorted((re.escape(word) for word in _NUMBERS), key=len, reverse=True))
_DURATION = re.compile(
    rf"(?<![\w.])(?:(\d+(?:[.,]\d+)?)\s?(?:or more |\+ ?|-)?|({_NUMBER_WORDS})(?: or more)?[ -]+)(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?)\b",
    re.IGNORECASE,
)
_PERIOD = re.compile(
    rf"\b(?:in|within|during|over|after|before)? ?the (first|last|final|initial|opening|closing) (\d+|{_NUMBER_WORDS})?[ -]?(s|secs?|seconds?|mins?|minutes?)\b",
    re.IGNORECASE,
)
_UNITS: Final = {"m": 60_000, "s": 1_000}
_THINGS: Final = (
    r"(?:times|clicks?|hits|taps|presses|errors?|failures?|attempts?|searches|requests?|calls|bursts?|refusals?|messages|exceptions|"
    r"crashes|warnings|forms|queries|validation errors|alerts|responses)"
)
_COUNT = re.compile(
    rf"\b(at least |more than |over |minimum (?:of )?|no fewer than |fewer than |less than |at most |up to |no more than )?"
    rf"(\d+|{_NUMBER_WORDS})(\+| or more)? (?:or more )?(?:\w+ ){{0,2}}?{_THINGS}\b"
    r"|\b(at least |more than )?(once|twice|thrice)\b",
    re.IGNORECASE,
)
_NEGATOR = re.compile(
    r"\b(?:no|not|without|never|zero|free (?:of|from)|fail(?:ed|s)? to|unable to|didn't|doesn't|did not|does not|wasn't|weren't|isn't|aren't|hasn't|"
    r"avoid(?:ed|s)?|lack(?:ed|s)?(?: of)?|absence of|spared|none of the|nor|refrain(?:ed|s)? from|abstain(?:ed|s)? from|clear of|instead of)(?: (?:any|a|an|the|single|ever|to|kind|of|make|making|have|having|see|seeing|get|getting|"
    r"encounter|encountering|experience|experiencing|run|running|into|hit|hitting|complete|completing|single|visible|real|further|"
    r"obvious|some|sign|signs|user|uncaught|javascript|js|script|failed|failing|slow|noticeable|whatsoever|there)){0,6}\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a prompt, lower-cased, with how much it counts: 1 for what is asked."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt, read.

    ``parts`` are its sentences without what the prompt excludes, and its asides; ``quotes`` the texts it has in quotation
    marks; ``duration_ms`` and ``count`` are thresholds it names, None where it names none. With ``fewer`` it asks for
    fewer than ``count``. ``period`` is the stretch it is about: up to so many ms from the start, or, if negative, from
    the end.
    """

    parts: tuple[Part, ...]
    quotes: tuple[str, ...] = ()
    duration_ms: int | None = None
    count: int | None = None
    fewer: bool = False
    period: int | None = None

    @property
    def main(self) -> str:
        return " ".join(part.text for part in self.parts if part.weight > ASIDE)

    @property
    def asides(self) -> str:
        return " ".join(part.text for part in self.parts if part.weight <= ASIDE)


@lru_cache(maxsize=KEPT)
def read(prompt: str) -> Ask:
    text = " ".join(prompt[:MAX_PROMPT_CHARS].lower().replace("\u2019", "'").replace("\u2018", "'").split())
    text = _NOT.sub(lambda match: f"{_IRREGULAR.get(match.group(1), match.group(1))} not", text)
    text = re.sub(r"\bw/o\b", "without", text)
    quotes = tuple(one or other for one, other in _QUOTE.findall(text))
    text = _QUOTE.sub(" ", text)
    text = _ABBREVIATION.sub(lambda match: match.group(1).replace(".", ""), text)
    sentences = [s for s in re.split(r"(?<=[.?!])\s+|\n", text) if s.strip(" .?!")]
    sentences = [s for s in sentences if not _EXCLUDED_SENTENCE.search(s)] or sentences
    kept = [_EXCLUDED_PART.sub(" ", sentence) for sentence in sentences]
    period, whole = _period(" ".join(kept))
    count, fewer = _count(whole)
    return Ask(tuple(_parts(kept)), quotes, _duration(whole), count, fewer, period)


def negated(text: str, at: int) -> bool:
    """Whether a negation stands right before position ``at``."""
    return bool(_NEGATOR.search(text[max(0, at - 70) : at]))


def _parts(sentences: list[str]) -> Iterator[Part]:
    """A sentence that asks counts whole, the others as its context; one that only points back hands its weight on."""
    asking = [bool(_ASKS.search(sentence.strip())) for sentence in sentences]
    pointing = [bool(_BACK_REFERENCE.search(sentence.strip())) for sentence in sentences]
    asks_itself = any(ask and not point for ask, point in zip(asking, pointing, strict=True))
    for sentence, ask, point in zip(sentences, asking, pointing, strict=True):
        if point and len(sentences) > 1:
            continue
        weight = 1.0 if ask or not asks_itself or any(pointing) else CONTEXT
        sentence, asides = _without_asides(sentence)  # noqa: PLW2901 - what is left of it
        yield Part(" ".join(_INSTRUCTION.sub(" ", sentence).split()), weight)
        for aside in asides:
            yield Part(aside.strip(), ASIDE * weight)


def _without_asides(sentence: str) -> tuple[str, list[str]]:
    asides = [match.group(1) for match in _ASIDE.finditer(sentence)]
    sentence = _ASIDE.sub(" ", sentence)
    for pattern in (_EXAMPLES, _LIST):
        match = pattern.search(sentence)
        if (
            match
            and sentence[: match.start()].strip()
            and (pattern is _EXAMPLES or match.group(1).count(",") >= LISTED)
        ):
            asides.append(match.group(1))
            sentence = f"{sentence[: match.start()]} {sentence[match.end() :]}"
    return sentence, asides


def _period(text: str) -> tuple[int | None, str]:
    """The stretch from the start or before the end that the prompt is about, and the text without it."""
    match = _PERIOD.search(text)
    if match is None:
        return None, text
    length = round(_value(match.group(2) or "one") * _UNITS[match.group(3)[0]])
    late = match.group(1) in ("last", "final", "closing")
    return -length if late else length, f"{text[: match.start()]} {text[match.end() :]}"


def _duration(text: str) -> int | None:
    found = [
        _value(match.group(1) or match.group(2)) * _UNITS[match.group(3)[0]]
        for match in _DURATION.finditer(text)
        if not match.group(3).startswith(("ms", "milli"))
    ]
    return round(max(found)) if found else None


def _count(text: str) -> tuple[int | None, bool]:
    """How often at least; or, with the second value, fewer than how often."""
    for match in _COUNT.finditer(text):
        number = (match.group(2) or match.group(5)).lower()
        bound = (match.group(1) or match.group(4) or "").strip()
        value = int({"once": 1}.get(number) or _value(number))
        if 1 <= value <= MAX_COUNT and (number not in ("a", "an", "one", "once") or bound == "more than"):
            beyond = bound in ("more than", "over", "at most", "up to", "no more than")
            return value + beyond, bound in ("fewer than", "less than", "at most", "up to", "no more than")
    return None, False


def _value(number: str) -> float:
    return _NUMBERS[number] if number in _NUMBERS else min(float(number.replace(",", ".")), MAX_NUMBER)
