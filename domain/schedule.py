"""Recurrence rules: what the schedule of an action may say, and when it is due next (contract 8.1).

A rule is expanded by python-dateutil in naive local time, from the action's creation, and each occurrence is turned
into UTC, so that 09:00 stays 09:00 when the clocks change. The library steps from the start of a rule through every
period up to the year 9999, which a hostile or an old rule turns into seconds or hours. Three things bound that work:

* The expansion begins near the time asked for, at the beginning of a period of the rule: what a rule leaves to its
  start (day, hour, minute) is written out before, so that only the count of periods matters.
* It runs 400 years times n later, where the calendar is the same day for day and the library's last year is near.
* BYSETPOS is applied here: the library tries every place in every period, whether the period has it or not. What is
  looked at for it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby, islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from dateutil.parser import ParserError, parse
from dateutil.rrule import rrulestr

from domain.errors import Invalid

RULE_LENGTH = 2000
"""Characters of a rule."""

LARGEST_COUNT = 10_000
LARGEST_INTERVAL = 100_000
MOST_CANDIDATES = 500_000
"""What BYSETPOS may look at: over five years of a rule that is as frequent as a rule may be."""
TIMES_A_DAY = 288
"""Bounds of the work and of how often an action runs: every five minutes, as often as the reference product looks."""

_DAYS = {"YEARLY": 366, "MONTHLY": 31, "WEEKLY": 7, "DAILY": 1}
"""Days that a period has at most."""

_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
_TOO_FREQUENT = ("MINUTELY", "SECONDLY")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PICK_DAYS = ("BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYWEEKDAY")
_OTHER_PROPERTIES = ("RDATE", "EXDATE", "EXRULE")
"""What the library takes beside a rule. The zone of a date among them it would look for in files."""

_CYCLE_YEARS = 400
_LAST_START = 9_899
_AROUND = timedelta(hours=26)
"""More than any zone has ever moved its clocks at once, a change of the date line included."""

_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_NO_RULE = (ValueError, TypeError, OverflowError, AttributeError, KeyError, IndexError)
"""What the library raises for a text that is no rule."""

Parts = dict[str, str]


def check_timezone(timezone: str) -> None:
    """Raises Invalid on `trigger_config__timezone` unless it is an IANA name."""
    if timezone not in _zones():
        raise Invalid("trigger_config__timezone", "invalid_input", "This is not the name of a time zone.")


def next_run(rrule: str, timezone: str, start: datetime, after: datetime) -> datetime | None:
    """The first occurrence strictly after a time, in UTC; None when there is none left.

    `start` is when the rule begins: the action's creation. Raises Invalid on `trigger_config__rrule` for a rule that is
    refused, on `trigger_config__timezone` for an unknown zone.
    """
    check_timezone(timezone)
    zone = ZoneInfo(timezone)
    begin = _local(start, zone)
    try:
        parts = _parts(rrule, begin)
        _check(parts)
        count = max(0, int(parts["COUNT"])) if "COUNT" in parts else None
        end = _end(parts, zone)
        return _first_after(_explicit(parts, begin), begin, zone, max(after, start), count=count, end=end)
    except _NO_RULE as error:
        raise _refused(str(error)) from error


def _first_after(
    parts: Parts, begin: datetime, zone: ZoneInfo, after: datetime, *, count: int | None, end: datetime | None
) -> datetime | None:
    """Order in local time is order in UTC but for the hours around a change of the clocks, which are all looked at."""
    here = _local(after, zone)
    changing = (after + _AROUND).astimezone(zone).utcoffset() != (after - _AROUND).astimezone(zone).utcoffset()
    since = max(begin, here - 2 * _AROUND if changing else here)
    if count is None:
        occurrences = _expand(parts, _anchor(parts, begin, since))
    else:
        occurrences = islice((at for at in _expand(parts, _anchor(parts, begin, begin)) if at >= begin), count)
    occurrences = (at for at in occurrences if at >= since)
    if end is not None:
        occurrences = takewhile(lambda at: at <= end, occurrences)
    near: list[datetime] = []
    for at in occurrences:
        moment = at.replace(tzinfo=zone).astimezone(UTC)
        if at > here + _AROUND or not changing:
            if moment > after:
                near.append(moment)
                break
        elif moment > after:
            near.append(moment)
    return min(near, default=None)


# --- the text -------------------------------------------------------------------------------------------------------


def _parts(rrule: str, begin: datetime) -> Parts:
    """The rule's parts by name, in capitals. Raises Invalid, and what the library raises for what is no rule."""
    if "DTSTART" in rrule.upper():
        raise _refused("DTSTART is not allowed: the rule begins when the action is created.")
    if len(rrule) > RULE_LENGTH:
        raise _refused(f"Ensure this field has no more than {RULE_LENGTH} characters.")
    text = rrule.strip().upper()
    if "COUNT=" in text and "UNTIL=" in text:
        raise _refused("COUNT and UNTIL exclude each other.")
    if len(text.split()) > 1 or any(name in text for name in _OTHER_PROPERTIES):
        raise _refused("One recurrence rule is needed, without other properties.")
    rrulestr(_without_zone(text), dtstart=begin)
    named = [part.partition("=") for part in text.removeprefix("RRULE:").split(";")]
    parts = {name: value for name, _, value in named}
    if len(parts) < len(named):
        raise _refused("Every part of a rule may stand once.")
    return parts


def _without_zone(text: str) -> str:
    """The library takes an end in UTC only together with a start that has a zone."""
    return ";".join(part.removesuffix("Z") if part.startswith("UNTIL=") else part for part in text.split(";"))


def _check(parts: Parts) -> None:
    """What the library takes and a schedule does not."""
    frequency = parts.get("FREQ", "")
    if frequency in _TOO_FREQUENT:
        raise _refused(f"FREQ={frequency} is too frequent: HOURLY is the most frequent one.")
    if frequency not in _FREQUENCIES:
        raise _refused("FREQ must be one of " + ", ".join(_FREQUENCIES) + ".")
    if not 1 <= int(parts.get("INTERVAL", "1")) <= LARGEST_INTERVAL:
        raise _refused(f"INTERVAL must be from 1 to {LARGEST_INTERVAL}.")
    if int(parts.get("COUNT", "0")) > LARGEST_COUNT:
        raise _refused(f"COUNT must be at most {LARGEST_COUNT}.")
    if "BYEASTER" in parts:
        raise _refused("BYEASTER is not part of the standard.")
    hours = _many(parts, "BYHOUR", 24 if frequency == "HOURLY" else 1)
    in_an_hour = _many(parts, "BYMINUTE", 1) * _many(parts, "BYSECOND", 1)
    if hours * in_an_hour > TIMES_A_DAY:
        raise _refused(f"More than {TIMES_A_DAY} times a day is too frequent.")
    _check_places(parts, in_an_hour if frequency == "HOURLY" else hours * in_an_hour * _DAYS[frequency])


def _check_places(parts: Parts, most: int) -> None:
    """`most`: occurrences that one period can have."""
    places = _places(parts)
    if any(not 1 <= abs(place) <= most for place in places):
        raise _refused("BYSETPOS names a place that no period of the rule has.")
    if places and int(parts.get("COUNT", "0")) * most > MOST_CANDIDATES:
        raise _refused("COUNT is too large for a rule with BYSETPOS.")


def _places(parts: Parts) -> frozenset[int]:
    return frozenset(int(place) for place in _values(parts, "BYSETPOS"))


def _values(parts: Parts, name: str) -> list[str]:
    return parts[name].split(",") if name in parts else []


def _many(parts: Parts, name: str, default: int) -> int:
    return len(set(_values(parts, name))) or default


def _refused(why: str) -> Invalid:
    return Invalid("trigger_config__rrule", "invalid_input", why or "This is no recurrence rule.")


# --- the expansion --------------------------------------------------------------------------------------------------


def _explicit(parts: Parts, begin: datetime) -> Parts:
    """The rule with everything that it leaves to its start written out, and without its end."""
    written = {name: value for name, value in parts.items() if name not in ("COUNT", "UNTIL")}
    frequency = parts["FREQ"]
    if not any(name in parts for name in _PICK_DAYS):
        if frequency == "YEARLY":
            written.setdefault("BYMONTH", str(begin.month))
        if frequency in ("YEARLY", "MONTHLY"):
            written["BYMONTHDAY"] = str(begin.day)
        if frequency == "WEEKLY":
            written["BYDAY"] = _WEEKDAYS[begin.weekday()]
    if frequency != "HOURLY":
        written.setdefault("BYHOUR", str(begin.hour))
    written.setdefault("BYMINUTE", str(begin.minute))
    written.setdefault("BYSECOND", str(begin.second))
    return written


def _anchor(parts: Parts, begin: datetime, since: datetime) -> datetime:
    """The beginning of a period of the rule, at most two intervals before `since` and not before that of `begin`."""
    interval = int(parts.get("INTERVAL", "1"))
    midnight = begin.replace(hour=0, minute=0, second=0)

    def steps(periods: int) -> int:
        return max(0, periods // interval - 1) * interval

    match parts["FREQ"]:
        case "YEARLY":
            return midnight.replace(year=begin.year + steps(since.year - begin.year), month=1, day=1)
        case "MONTHLY":
            months = begin.month - 1 + steps((since.year - begin.year) * 12 + since.month - begin.month)
            return midnight.replace(year=begin.year + months // 12, month=months % 12 + 1, day=1)
        case "WEEKLY":
            first = _WEEKDAYS.index(parts.get("WKST", "MO"))
            monday = midnight - timedelta(days=(begin.weekday() - first) % 7)
            weeks = steps((since - monday).days // 7)
            # The first week is cut short by its beginning, which BYSETPOS notices.
            return monday + timedelta(weeks=weeks) if weeks else midnight
        case "DAILY":
            return midnight + timedelta(days=steps((since - midnight).days))
        case _:
            hour = begin.replace(minute=0, second=0)
            return hour + timedelta(hours=steps((since - hour) // timedelta(hours=1)))


def _expand(parts: Parts, anchor: datetime) -> Iterator[datetime]:
    """The occurrences from the anchor on, as local times; ends after some centuries."""
    places = _places(parts)
    candidates = _candidates({name: value for name, value in parts.items() if name != "BYSETPOS"}, anchor)
    if not places:
        yield from candidates
        return
    for _, period in groupby(islice(candidates, MOST_CANDIDATES), _period(parts)):
        found = list(period)
        reached = (place - 1 if place > 0 else len(found) + place for place in places)
        yield from (found[index] for index in sorted(set(reached)) if 0 <= index < len(found))


def _candidates(parts: Parts, anchor: datetime) -> Iterator[datetime]:
    years = (_LAST_START - anchor.year) // _CYCLE_YEARS * _CYCLE_YEARS
    rule = rrulestr(
        ";".join(f"{name}={value}" for name, value in parts.items()), dtstart=anchor.replace(year=anchor.year + years)
    )
    for at in rule:
        yield at.replace(year=at.year - years)


def _period(parts: Parts) -> Callable[[datetime], object]:
    """What two occurrences of one period have in common."""
    match parts["FREQ"]:
        case "YEARLY":
            return lambda at: at.year
        case "MONTHLY":
            return lambda at: (at.year, at.month)
        case "WEEKLY":
            first = _WEEKDAYS.index(parts.get("WKST", "MO"))
            return lambda at: at.date() - timedelta(days=(at.weekday() - first) % 7)
        case "DAILY":
            return lambda at: at.date()
        case _:
            return lambda at: (at.date(), at.hour)


def _end(parts: Parts, zone: ZoneInfo) -> datetime | None:
    """The last local time that a rule with UNTIL allows."""
    if "UNTIL" not in parts:
        return None
    try:
        until = parse(parts["UNTIL"])
    except ParserError as error:
        raise _refused(str(error)) from error
    return until.astimezone(zone).replace(tzinfo=None) if until.tzinfo else until


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, microsecond=0)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NO_ZONES
