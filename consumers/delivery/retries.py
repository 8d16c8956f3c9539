"""When a delivery that failed is tried again: ten attempts in about three days (Standard Webhooks, anchors D.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""After the first attempt, the second, and so on: the schedule that Standard Webhooks recommends."""

MOST_ATTEMPTS = len(WAITS) + 1
JITTER = 0.1
"""Share of a wait by which it is shorter or longer, so that what failed together does not come back together."""
LONGEST_ASKED = timedelta(days=1)
"""The longest pause that a peer can ask for."""
SLOW_DOWN_SECONDS = 60.0
"""Least pause after an answer that asks for one and does not say how long."""


def next_attempt(number: int, retry_after: float | None, chance: float) -> timedelta | None:
    """How long to wait after the `number`th attempt (from 1) failed; None when it was the last.

    `retry_after`: seconds that the peer asked for, which can make the pause longer and never shorter. `chance`, from 0
    to 1, is drawn anew for each attempt.
    """
    if number >= MOST_ATTEMPTS:
        return None
    wait = WAITS[max(0, number - 1)] * (1 + JITTER * (2 * chance - 1))
    asked = min(timedelta(seconds=max(0.0, retry_after or 0.0)), LONGEST_ASKED)
    return max(wait, asked)


def asked_pause(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, a number or a date; None for none, or one that is neither."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_ASKED.total_seconds())
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), LONGEST_ASKED.total_seconds())
