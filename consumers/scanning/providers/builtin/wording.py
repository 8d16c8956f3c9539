"""Putting findings into sentences with second marks."""

from collections.abc import Sequence
from typing import Final

from consumers.scanning.evidence import Evidence, Signal
from consumers.scanning.providers.builtin.finding import said

MAX_MOMENTS: Final = 3
"""Moments told in full; of the others how many there are, and the last."""


def cite(*times_ms: int) -> str:
    """Second marks of the session clock: whole seconds, as the timeline prints them, each once."""
    seconds = dict.fromkeys(str(max(0, t_ms) // 1000) for t_ms in times_ms)
    return f"(t {', '.join(seconds)})"


def end_of(evidence: Evidence) -> str:
    return cite(evidence.duration_ms)


def sentence(signal: Signal, again: Sequence[int] = ()) -> str:
    """``again``: when it happened further times, in ms."""
    text = said(signal)
    return f"{text[0].upper()}{text[1:]} {cite(signal.t_ms, *again)}."


def told(moments: Sequence[Signal], limit: int = MAX_MOMENTS) -> str:
    """The first moments as sentences, and how many more there are."""
    parts = [sentence(signal) for signal in moments[:limit]]
    rest = len(moments) - limit
    if rest > 0:
        parts.append(f"There are {rest} more, the last {cite(moments[-1].t_ms)}.")
    return " ".join(parts)


def cut(text: str, limit: int) -> str:
    """Shortened at a word's end: half a word would be a quotation of what nobody said."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    return (kept.rpartition(" ")[0] or kept).rstrip() + "…"
