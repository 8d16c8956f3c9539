"""What the evidence of one recorded session is: a timeline, signals, and what was not captured."""

from dataclasses import dataclass, field
from typing import Final

MAX_TEXT_BYTES: Final = 60_000
"""Bound of the read-out. A one-hour session is about 100 KB at full density (capture 6), so long ones lose lines."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline. ``t_ms`` counts from the first event; ``text`` is masked and escaped."""

    t_ms: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Signal:
    """Something an analyst would point at.

    ``kind`` is one of ``signals.KINDS``; ``t_ms`` to ``end_ms`` is the span; ``count`` how many happenings it joins;
    ``subject`` the element, page, message or request it is about (masked, escaped, short); ``measure_ms`` a measured
    time where there is one (how long a response took, how long the idle stretch was); ``note`` what narrows it down.
    """

    kind: str
    t_ms: int
    end_ms: int
    text: str
    subject: str = ""
    count: int = 1
    measure_ms: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Captured:
    """Whether the recorder captured a channel: absence of lines is only "nothing happened" where it did.

    ``console``, ``network`` and ``pages`` (what stands on pages, and so the names of elements): captured at all.
    ``partly`` names those of them that were not captured in every window, or of which only the first so many were read:
    what is told of them happened, and what is not told may have.
    """

    console: bool
    network: bool
    pages: bool = True
    partly: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Deterministic evidence of one recording, the only thing a provider sees (architecture 8).

    ``text`` is the read-out (at most ``MAX_TEXT_BYTES`` in UTF-8), ``digest`` the SHA-256 of its UTF-8 bytes in hex.
    ``lines`` are the timeline lines that are in the text, ``signals`` every signal, both in order of time.
    ``dropped_lines`` counts what the bound left out; ``skipped_events`` what could not be read.
    """

    started_at_ms: int
    duration_ms: int
    windows: int
    captured: Captured
    lines: tuple[Line, ...]
    signals: tuple[Signal, ...]
    counts: dict[str, int] = field(hash=False)
    text: str
    digest: str
    dropped_lines: int = 0
    skipped_events: int = 0
