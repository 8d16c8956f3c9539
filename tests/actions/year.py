"""Rules for a simulated year, and when each of them comes: by the library's plain expansion, walked from the start."""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice, takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

BEGIN = datetime(2028, 2, 20, 9, 17, 42, tzinfo=UTC)
"""Six weeks from here have a 29 February and changes of the clocks in both halves of the world."""

ZONES = (
    "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "UTC", "America/St_Johns", "Asia/Kathmandu",
    "Australia/Sydney", "Africa/Casablanca", "Pacific/Chatham",
)  # fmt: skip
HOURLY = "FREQ=HOURLY;BYMINUTE=0;BYSECOND=0"
OFTEN = ("FREQ=HOURLY;INTERVAL=3;BYMINUTE=30;BYSECOND=0", "FREQ=DAILY;BYHOUR=0,6,12,18;BYMINUTE=0;BYSECOND=0")
DAILY = (
    "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0",
    "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0",
    "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=15;BYSECOND=0",
    "FREQ=DAILY;INTERVAL=2;BYHOUR=0;BYMINUTE=0;BYSECOND=0",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=7;BYMINUTE=30;BYSECOND=0",
)
SELDOM = (
    "FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=45;BYSECOND=0",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;BYHOUR=23;BYMINUTE=59;BYSECOND=59",
    "FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
    "FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=12;BYMINUTE=0;BYSECOND=0",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17;BYMINUTE=0;BYSECOND=0",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=6;BYMINUTE=0;BYSECOND=0",
    "FREQ=DAILY;COUNT=12;BYHOUR=5;BYMINUTE=5;BYSECOND=0",
    "FREQ=DAILY;UNTIL=20280331T120000Z;BYHOUR=13;BYMINUTE=0;BYSECOND=0",
    "FREQ=YEARLY;BYYEARDAY=60,-1;BYHOUR=3;BYMINUTE=0;BYSECOND=0",
)

_UNTIL = re.compile(r";UNTIL=(\d{8}T\d{6})Z")


def planned(many: int, dice: random.Random) -> list[tuple[str, str]]:
    """So many rules, each with a zone: of every kind, each kind in several zones; one in a hundred comes every hour."""
    rules = [HOURLY] * (many // 100) + list(islice(cycle(OFTEN), many // 25)) + list(islice(cycle(DAILY), many // 4))
    rules += islice(cycle(SELDOM), many - len(rules))
    dice.shuffle(rules)
    return list(zip(rules, cycle(ZONES), strict=False))


def occurrences(rule: str, zone: str, end: datetime) -> list[datetime]:
    """Every moment of the rule from BEGIN on, in order: its local times, each turned into UTC."""
    here = ZoneInfo(zone)
    begin = BEGIN.astimezone(here).replace(tzinfo=None)
    last = end.astimezone(here).replace(tzinfo=None) + timedelta(days=1)
    if until := _UNTIL.search(rule):
        stop = datetime.strptime(until[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        last = stop.astimezone(here).replace(tzinfo=None)
    local = takewhile(lambda at: at <= last, rrulestr(_UNTIL.sub("", rule), dtstart=begin))
    moments = {at.replace(tzinfo=here).astimezone(UTC) for at in local}
    return sorted(moment for moment in moments if BEGIN < moment <= end)


def expected(times: Sequence[datetime], ticks: Sequence[datetime]) -> list[datetime]:
    """Which of the times have a run if a scheduler looks at these moments: at each the first due, then those after."""
    found: list[datetime] = []
    place = 0
    for tick in ticks:
        if place < len(times) and times[place] <= tick:
            found.append(times[place])
            place = bisect_right(times, tick)
    return found
