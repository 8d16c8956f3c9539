"""When a failed delivery comes again: about ten attempts in three days, with jitter (anchors D.3)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from consumers.delivery.retries import MOST_ATTEMPTS, asked_pause, next_attempt
from tests.delivery.messages import NOW


def test_ten_attempts_in_about_three_days() -> None:
    waits = [next_attempt(number, None, 0.5) for number in range(1, MOST_ATTEMPTS + 1)]
    assert waits[-1] is None
    taken = [wait for wait in waits if wait is not None]
    assert len(taken) == 9
    assert taken == sorted(taken)
    assert timedelta(days=3) <= sum(taken, timedelta()) <= timedelta(days=3, hours=6)


def test_jitter_and_what_the_peer_asks_for() -> None:
    spread = [next_attempt(3, None, chance / 10) for chance in range(11)]
    assert len(set(spread)) == 11
    assert (spread[0], spread[-1]) == (timedelta(minutes=27), timedelta(minutes=33))
    assert next_attempt(1, 120, 0.5) == timedelta(seconds=120)
    assert next_attempt(9, 120, 0.5) == timedelta(days=1)
    assert next_attempt(1, 10**9, 0.5) == timedelta(days=1)
    assert next_attempt(1, -5, 0.5) == timedelta(seconds=5)
    assert next_attempt(MOST_ATTEMPTS, 1, 0.5) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120), (" 7 ", 7), ("0", 0), ("9" * 40, 86_400), ("Fri, 27 Nov 2026 09:01:00 GMT", 59.75),
        ("Fri, 27 Nov 2026 08:00:00 GMT", 0), ("Fri, 27 Nov 2099 08:00:00 GMT", 86_400), ("", None), (None, None),
        ("soon", None), ("-1", None), ("1.5", None), ("٣", None),
    ],
)  # fmt: skip
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert asked_pause(header, NOW) == seconds
