"""Times as the reference product's lists take them: ISO-8601, a day, or so long before now (contract 9, row 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from starlette.datastructures import QueryParams

from api.http.errors import echo
from api.http.filters import described, text_of
from domain.errors import Invalid

_RELATIVE = re.compile(r"-?([0-9]{1,5})?([hdwmqyMs])(Start|End)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EVERYTHING = "all"

_LENGTHS = {
    "s": relativedelta(seconds=1),
    "M": relativedelta(minutes=1),
    "h": relativedelta(hours=1),
    "d": relativedelta(days=1),
    "w": relativedelta(weeks=1),
    "m": relativedelta(months=1),
    "q": relativedelta(months=3),
    "y": relativedelta(years=1),
}
_QUARTER_MONTHS = 3


@dataclass(frozen=True)
class Bound:
    """One end of a half-open range of times; empty, or `all`, means no filter.

    `-7d` is seven times 24 hours before now (s, M minutes, h, d, w, m months, q, y), `-1dStart` and `-1dEnd` the start
    and the end of that day, and so on; without a number, of the present one. A day as `2026-06-18` is its start, or
    with `after` its end, which is the next day's start. Days and times without a zone are the environment's.
    """

    name: str
    description: str
    after: bool = False

    def read(self, query: QueryParams, now: datetime, zone: str) -> datetime | None:
        """The time in UTC. Raises Invalid for anything that is none."""
        value = text_of(query, self.name).strip()
        if value in ("", _EVERYTHING):
            return None
        try:
            return self._time(value, now.astimezone(ZoneInfo(zone))).astimezone(UTC)
        except (ValueError, OverflowError):
            message = f"Neither an ISO-8601 time nor one such as -7d: {echo(value)}."
            raise Invalid(self.name, "invalid_input", message) from None

    def _time(self, value: str, now: datetime) -> datetime:
        if found := _RELATIVE.fullmatch(value):
            number, unit, edge = found.groups()
            if number is None and edge is None:
                raise ValueError(value)
            ago = _LENGTHS[unit] * int(number or 0)
            # A day that is counted back is 24 hours, whatever clocks did meanwhile; its edges are the zone's.
            at = (now.astimezone(UTC) - ago).astimezone(now.tzinfo)
            return at if edge is None else _edge(at, unit, last=edge == "End")
        if _DAY.fullmatch(value):
            day = date.fromisoformat(value) + timedelta(days=int(self.after))
            return datetime.combine(day, time(), now.tzinfo)
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=now.tzinfo) if at.tzinfo is None else at

    def describe(self) -> dict[str, Any]:
        return described(self.name, {"type": "string", "pattern": _PATTERN}, self.description, example="-7d")


_PATTERN = (
    r"^(|all|-?[0-9]{1,3}[hdwmqyMs](Start|End)?|[hdwmqy](Start|End)"
    r"|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?Z?)?)$"
)
"""What the document tells; the server also takes years before and after, other days of a month, and offsets."""


def _edge(at: datetime, unit: str, *, last: bool) -> datetime:
    """The start of the unit that a time is in, or (`last`) of the next."""
    start = at.replace(minute=0, second=0, microsecond=0)
    match unit:
        case "s":
            start = at.replace(microsecond=0)
        case "M":
            start = at.replace(second=0, microsecond=0)
        case "h":
            pass
        case "w":
            start = start.replace(hour=0) - timedelta(days=at.weekday())
        case "d":
            start = start.replace(hour=0)
        case "m":
            start = start.replace(hour=0, day=1)
        case "q":
            start = start.replace(hour=0, day=1, month=at.month - (at.month - 1) % _QUARTER_MONTHS)
        case _:
            start = start.replace(hour=0, day=1, month=1)
    return start + _LENGTHS[unit] if last else start
