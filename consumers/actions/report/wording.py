"""How a report tells numbers, times and windows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consumers.actions.report.markdown import escaped
from consumers.actions.report.port import Material
from domain.plain_text import one_line

NAME_CHARS: Final = 120
"""Of a name in a header: the rest of a longer one says nothing more."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MARKS: Final = re.compile(r"[*_`~#\\]")
_BRACKETS: Final = re.compile(r"!?[\[\]<>|(){}]+!?")


def header(material: Material) -> str:
    """The part of a report that nobody but us writes (engine 7.4): whose it is, how many, of when, and the sample."""
    taken = len(material.observations)
    sampled = f", sampled {taken} of {material.matched}" if material.matched > taken else ""
    told = f"{observations(material.matched)} {window(material)}{sampled}"
    return f"# {name(material.scanner_name)}\n\n{told}"


def name(text: str) -> str:
    """A name of the operator's, without mark-up, on one line."""
    plain = one_line(_BRACKETS.sub(" ", _MARKS.sub("", text)))
    return escaped(plain if len(plain) <= NAME_CHARS else f"{plain[:NAME_CHARS].rstrip()}...") or "Scanner"


def window(material: Material) -> str:
    """`from 26 Nov 2026, 09:00 to 27 Nov 2026, 09:00 (Europe/Prague)`."""
    zone = zone_of(material.timezone)
    start, end = (when(at, zone) for at in (material.window_start, material.window_end))
    return f"from {start} to {end} ({material.timezone if zone is not UTC else 'UTC'})"


def zone_of(timezone: str) -> tzinfo:
    """UTC for a zone that this machine does not know, or no longer."""
    try:
        return UTC if timezone == "UTC" else ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def when(at: datetime, zone: tzinfo, *, year: bool = True) -> str:
    """`26 Nov 2026, 09:00`, or without the year."""
    local = at.astimezone(zone)
    return f"{local.day} {_MONTHS[local.month - 1]}{f' {local.year}' if year else ''}, {local:%H:%M}"


def observations(count: int) -> str:
    return f"{count} observation{'' if count == 1 else 's'}"


def clock(second: float) -> str:
    """A moment of a recording as players show it: `1:09`, `1:02:03`."""
    whole = int(second)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def share(count: int, of: int) -> str:
    """`3 of 11 (27 %)`."""
    return f"{count} of {of} ({percent(count, of)} %)"


def percent(count: int, of: int) -> int:
    return round(100 * count / of) if of else 0


def number(value: float) -> str:
    """At most one digit after the point."""
    return f"{round(value, 1):g}"
