"""The clock that handlers use unless they are given another."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time with a zone."""


def utc_now() -> datetime:
    return datetime.now(UTC)
