"""Looking a concept up in the evidence: is it there, when, and could it be known at all."""

import re
from dataclasses import dataclass
from typing import Final

from consumers.scanning.evidence import Evidence, Line, Signal
from consumers.scanning.providers.builtin.prompt import Ask
from consumers.scanning.providers.builtin.quoting import repeatable, without_codes
from consumers.scanning.providers.builtin.scope import named, scope_of, within

STEM_CHARS: Final = 3
"""Fewest letters that are left of a word when its ending goes."""
DEFAULT_IDLE_MS: Final = 15_000
DEFAULT_SLOW_MS: Final = 3_000
"""What "idle" and "slow" mean where a prompt names no time: what the signals of that name begin with."""

_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "conversion": ("conversion",),
    "checkout_given_up": ("checkout_given_up",),
    "rage_click": ("rage_click",),
    "dead_click": ("dead_click",),
    "error_shown": ("error_shown",),
    "missing_page": ("error_shown",),
    "declined": ("error_shown",),
    "denied": ("error_shown",),
    "javascript_error": ("javascript_error",),
    "failed_request": ("failed_request",),
    "form_abandoned": ("abandoned_form",),
    "validation_error": ("validation_error",),
    "lost_navigation": ("lost_navigation",),
    "empty_search": ("empty_search",),
    "slow_response": ("slow_response",),
    "idle": ("idle",),
    "goal_missed": ("goal_missed",),
    "task_completed": ("conversion", "task_completed"),
    "impatient_repeat": ("impatient_repeat",),
    "quick_back": ("quick_back",),
    "defect": ("javascript_error", "dead_click", "failed_request", "error_shown"),
    "friction": (
        "rage_click",
        "dead_click",
        "impatient_repeat",
        "error_shown",
        "javascript_error",
        "failed_request",
        "slow_response",
        "validation_error",
        "lost_navigation",
        "empty_search",
        "goal_missed",
    ),
}
WORDS: Final = {
    "conversion": "a conversion",
    "checkout_given_up": "a checkout or upgrade given up",
    "rage_click": "a burst of clicks",
    "dead_click": "a click without reaction",
    "error_shown": "an error message",
    "missing_page": "a page that was not found",
    "declined": "a declined payment",
    "denied": "a missing permission",
    "javascript_error": "an uncaught script error",
    "failed_request": "a failed request",
    "form_abandoned": "an abandoned form",
    "validation_error": "refused input",
    "lost_navigation": "lost navigation",
    "empty_search": "a search without result",
    "slow_response": "a slow answer",
    "idle": "an idle stretch",
    "goal_missed": "a goal that was missed",
    "task_completed": "a completed task",
    "impatient_repeat": "impatient clicking",
    "quick_back": "a page left at once",
    "defect": "a defect",
    "friction": "friction",
}
_WHOLE: Final = frozenset({"conversion", "checkout_given_up", "goal_missed", "task_completed"})
"""What is true of a session, not of a page or a time in it."""
_NEEDS: Final = {"javascript_error": "console", "failed_request": "network"}
_BROAD = re.compile(
    r"\bno (?:answer|response|reply)|or (?:more|above|higher)|and (?:up|above|higher|more)|\bunanswered|\babove\b|>="
)
_GAP = re.compile(r"^no activity for (\d+) s")


@dataclass(frozen=True, slots=True)
class Found:
    """A concept looked up.

    ``moments`` are the signals that show the concept, in order; ``known`` is False where the recorder did not
    capture what would tell; ``too_few`` are those there are where the prompt asks for more of them.
    """

    concept: str
    moments: tuple[Signal, ...]
    known: bool = True
    too_few: tuple[Signal, ...] = ()

    @property
    def present(self) -> bool:
        return bool(self.moments)


def find(concept: str, evidence: Evidence, ask: Ask | None = None) -> Found:
    """Look up ``concept``, with the thresholds the prompt names."""
    moments = [signal for signal in evidence.signals if signal.kind in _KINDS[concept]]
    if concept in ("missing_page", "declined", "denied"):
        moments = [signal for signal in moments if signal.note == concept]
    elif concept == "defect":
        moments = [s for s in moments if _is_defect(s)]
    elif concept == "failed_request" and ask is not None:
        moments = _of_status(moments, ask)
    elif concept == "slow_response":
        moments = _slow(evidence, moments, ask)
    elif concept == "idle":
        moments = _idle(evidence, moments, ask)
    if ask is not None:
        moments = list(within(moments, scope_of(ask, evidence), evidence)) if concept not in _WHOLE else moments
    every = moments
    if ask is not None and ask.count is not None:
        moments = _counted(concept, moments, ask.count)
    channel = _NEEDS.get(concept)
    known = channel is None or bool(getattr(evidence.captured, channel))
    return Found(concept, tuple(moments), known, () if moments else tuple(every))


def said(signal: Signal) -> str:
    """A signal's text for an answer, without what quoting keeps out."""
    if repeatable(signal.text):
        return without_codes(signal.text)
    return f"{signal.kind.replace('_', ' ')}, with text that is not repeated"


def lines_about(evidence: Evidence, wanted: set[str], kinds: tuple[str, ...] = ()) -> list[tuple[float, Line]]:
    """Timeline lines by the share of ``wanted`` words (stems) they hold, the best first, only those with any."""
    found = [
        (len(wanted & stems(named(line.text) if line.kind == "page" else line.text)) / len(wanted), line)
        for line in evidence.lines
        if not kinds or line.kind in kinds
    ]
    return sorted(((share, line) for share, line in found if share > 0), key=lambda item: (-item[0], item[1].t_ms))


_WORD = re.compile(r"[a-z0-9]{2,}")
_STOP: Final = frozenset(
    [
        "the",
        "an",
        "of",
        "to",
        "in",
        "on",
        "at",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "did",
        "do",
        "does",
        "has",
        "have",
        "had",
        "and",
        "or",
        "but",
        "not",
        "if",
        "any",
        "this",
        "that",
        "these",
        "those",
        "it",
        "its",
        "their",
        "there",
        "they",
        "he",
        "she",
        "user",
        "users",
        "visitor",
        "visitors",
        "session",
        "sessions",
        "page",
        "pages",
        "person",
        "people",
        "customer",
        "someone",
        "with",
        "for",
        "from",
        "by",
        "as",
        "how",
        "what",
        "which",
        "when",
        "where",
        "who",
        "why",
        "whether",
        "during",
        "please",
        "flag",
        "report",
        "answer",
        "yes",
        "no",
        "look",
        "tell",
        "say",
        "find",
        "identify",
        "detect",
        "check",
        "can",
        "could",
        "would",
        "should",
        "will",
        "may",
        "into",
        "out",
        "over",
        "about",
        "than",
        "then",
        "them",
        "his",
        "her",
        "him",
        "you",
        "your",
        "we",
        "our",
        "us",
        "site",
        "website",
        "app",
        "application",
        "ever",
        "at",
        "least",
        "one",
        "some",
        "all",
        "each",
        "every",
        "get",
        "got",
        "go",
        "went",
        "make",
        "made",
        "use",
        "used",
        "using",
        "see",
        "saw",
        "show",
        "shown",
        "watch",
        "recording",
        "true",
        "false",
        "question",
        "happen",
        "happened",
        "click",
        "clicked",
        "clicks",
        "clicking",
        "open",
        "opened",
        "opens",
        "visit",
        "visited",
        "visits",
    ]
)


def stems(text: str) -> set[str]:
    """Content words, cut to a rough stem."""
    return {_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP}


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ied", "ers", "er", "es", "ed", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= STEM_CHARS:
            return word[: -len(ending)]
    return word


def _is_defect(signal: Signal) -> bool:
    match signal.kind:
        case "failed_request":
            return signal.note == "5xx"
        case "error_shown":
            return signal.note == "server"
        case _:
            return True


def _of_status(moments: list[Signal], ask: Ask) -> list[Signal]:
    """Where a prompt names only one class of status, only those."""
    text = f"{ask.main} {ask.asides}"
    named = {digit for digit in "45" if re.search(rf"\b{digit}(?:xx|\d\d)\b", text)}
    broad = _BROAD.search(text)
    if len(named) == 1 and not broad:
        return [signal for signal in moments if signal.note[:1] in named]
    return moments


def _slow(evidence: Evidence, moments: list[Signal], ask: Ask | None) -> list[Signal]:
    least = (ask.duration_ms if ask is not None else None) or DEFAULT_SLOW_MS
    if least < DEFAULT_SLOW_MS:
        moments = [signal for signal in evidence.signals if signal.kind in ("slow_response", "slow_request")]
    return [signal for signal in moments if signal.measure_ms >= least]


def _idle(evidence: Evidence, moments: list[Signal], ask: Ask | None) -> list[Signal]:
    least = (ask.duration_ms if ask is not None else None) or DEFAULT_IDLE_MS
    if least < DEFAULT_IDLE_MS:
        for line in evidence.lines:
            gap = _GAP.match(line.text) if line.kind == "gap" else None
            if gap and line.t_ms > 0 and least <= int(gap.group(1)) * 1000 < DEFAULT_IDLE_MS:
                moments = [
                    *moments,
                    Signal("idle", line.t_ms, line.t_ms, line.text, measure_ms=int(gap.group(1)) * 1000),
                ]
    return [signal for signal in moments if signal.measure_ms >= least]


def _counted(concept: str, moments: list[Signal], least: int) -> list[Signal]:
    """A number of times named by the prompt: clicks in one burst, or happenings in all."""
    if concept == "rage_click":
        return [signal for signal in moments if signal.count >= least]
    if concept in ("dead_click", "impatient_repeat"):
        return moments if sum(signal.count for signal in moments) >= least else []
    if concept in ("error_shown", "javascript_error", "failed_request", "validation_error", "empty_search"):
        return moments if len(moments) >= least else []
    return moments
