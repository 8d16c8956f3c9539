"""Recurrence rules: the bounded expansion gives what the plain one gives, in the right hours, in bounded time."""

import re
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.schedule import LARGEST_COUNT, next_run

START = datetime(2026, 11, 27, 9, 0, 30, 123, tzinfo=UTC)
ZONES = ("UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
LATER = 19 * 400
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def several(values: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=most, unique=True).map(",".join)


def numbers(low: int, high: int, most: int = 4) -> st.SearchStrategy[str]:
    return several(st.integers(low, high).filter(bool).map(str), most)


PARTS = {
    "BYMONTH": numbers(1, 12),
    "BYMONTHDAY": numbers(-31, 31),
    "BYYEARDAY": numbers(-366, 366),
    "BYWEEKNO": numbers(-53, 53),
    "BYDAY": several(
        st.sampled_from(DAYS) | st.builds("{}{}".format, st.sampled_from([-2, -1, 1, 2]), st.sampled_from(DAYS))
    ),
    "BYHOUR": several(st.integers(0, 23).map(str)),
    "BYMINUTE": several(st.integers(0, 59).map(str)),
    "BYSECOND": st.integers(0, 59).map(str),
    "BYSETPOS": numbers(-5, 5, 2),
    "WKST": st.sampled_from(DAYS),
}  # fmt: skip


@st.composite
def rules(draw: st.DrawFn, *, ends: bool = True) -> str:
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]))
    chosen = draw(st.sets(st.sampled_from(sorted(PARTS)), max_size=4))
    parts = {"FREQ": frequency, "INTERVAL": str(draw(st.integers(1, 5)))}
    parts |= {name: draw(PARTS[name]) for name in sorted(chosen)}
    if ends:
        end = draw(st.sampled_from(["", "COUNT", "UNTIL"]))
        if end == "COUNT":
            parts["COUNT"] = str(draw(st.integers(1, 60)))
        elif end == "UNTIL":
            until = START + timedelta(days=draw(st.integers(0, 1500)))
            parts["UNTIL"] = until.strftime("%Y%m%dT%H%M%S")
    return ";".join(f"{name}={value}" for name, value in parts.items())


def plain(rule: str, zone: ZoneInfo, start: datetime, after: datetime, limit: datetime) -> datetime | None:
    """The first moment after, by walking the library's own expansion from the start; None up to the limit.

    It walks 7600 years later, where the calendar is the same: for a rule that never comes it walks up to the year 9999.
    """
    begin = start.astimezone(zone).replace(tzinfo=None, microsecond=0)
    later = re.sub("UNTIL=([0-9]{4})", lambda found: f"UNTIL={int(found[1]) + LATER}", rule)
    walked = (
        at.replace(year=at.year - LATER) for at in rrulestr(later, dtstart=begin.replace(year=begin.year + LATER))
    )
    moments = (at.replace(tzinfo=zone).astimezone(UTC) for at in walked)
    found: list[datetime] = []
    for number, moment in enumerate(moments):
        assume(number < 20_000)
        if moment > limit + timedelta(days=2):
            break
        if moment > after:
            found.append(moment)
            if moment > min(found) + timedelta(days=2):
                break
    return min(found, default=None)


@settings(max_examples=150, deadline=None)
@given(rules(), st.sampled_from(ZONES), st.integers(0, 500 * 86_400) | st.integers(0, 8 * 86_400))
@example("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "Europe/Prague", 86_400 * 120)
@example("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "UTC", 86_400 * 400)
@example("FREQ=WEEKLY;BYDAY=MO,WE,FR,SA;BYSETPOS=1", "UTC", 0)
@example("FREQ=WEEKLY;BYDAY=MO,WE,FR,SA;BYSETPOS=1", "UTC", 86_400 * 2)
@example("FREQ=WEEKLY;BYDAY=MO,WE,FR,SA;BYSETPOS=2", "UTC", 0)
@example("FREQ=WEEKLY;BYDAY=MO,WE,SA;BYSETPOS=1;COUNT=2", "UTC", 0)
@example("FREQ=HOURLY;INTERVAL=5;BYMINUTE=30", "Australia/Lord_Howe", 86_400 * 130)
@example("FREQ=WEEKLY;BYDAY=WE,MO;BYSETPOS=2;WKST=TU", "UTC", 0)
def test_near_the_time_asked_for_the_same_as_from_the_start(rule: str, zone: str, seconds: int) -> None:
    after = START + timedelta(seconds=seconds)
    limit = after + timedelta(days=500)
    try:
        rrulestr(rule, dtstart=START.replace(tzinfo=None))
        found = next_run(rule, zone, START, after)
    except (ValueError, Invalid):
        assume(False)
        raise
    expected = plain(rule, ZoneInfo(zone), START, after, limit)
    if expected is None or expected > limit:
        assert found is None or found > limit
    else:
        assert found == expected


@pytest.mark.rule("8.1/next-run-after-now")
@given(rules(), st.sampled_from(ZONES), st.integers(0, 1200 * 86_400))
@settings(max_examples=100, deadline=None)
def test_it_is_strictly_after_and_nothing_lies_between(rule: str, zone: str, seconds: int) -> None:
    after = START + timedelta(seconds=seconds)
    try:
        found = next_run(rule, zone, START, after)
    except Invalid:
        assume(False)
        raise
    if found is not None:
        assert found > after
        assert next_run(rule, zone, START, found - timedelta(microseconds=1)) == found


@pytest.mark.rule("8.1/next-run-local")
@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2027-03-27T07:59:00Z", "2027-03-27T08:00:00Z"),
        ("2027-03-27T08:00:00Z", "2027-03-28T07:00:00Z"),
        ("2027-10-30T07:00:00Z", "2027-10-31T08:00:00Z"),
    ],
)
def test_nine_o_clock_stays_nine_o_clock(after: str, expected: str) -> None:
    rule = "FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"
    assert next_run(rule, "Europe/Prague", START, moment(after)) == moment(expected)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_an_hour_that_does_not_exist_and_one_that_exists_twice() -> None:
    """02:30 in Prague: on the day it is skipped it runs an hour later by the wall, on the day it comes twice once."""
    rule = "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0"
    assert next_run(rule, "Europe/Prague", START, moment("2027-03-27T02:00:00Z")) == moment("2027-03-28T01:30:00Z")
    assert next_run(rule, "Europe/Prague", START, moment("2027-10-30T23:00:00Z")) == moment("2027-10-31T00:30:00Z")
    assert next_run(rule, "Europe/Prague", START, moment("2027-10-31T00:30:00Z")) == moment("2027-11-01T01:30:00Z")


@pytest.mark.rule("8.1/next-run-local")
@pytest.mark.parametrize("zone", ZONES)
def test_every_day_of_three_years_runs_once_at_its_hour(zone: str) -> None:
    rule = "FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"
    at, seen = START, []
    for _ in range(1096):
        found = next_run(rule, zone, START, at)
        assert found is not None
        seen.append(found.astimezone(ZoneInfo(zone)))
        at = found
    assert {local.hour for local in seen} == {9}
    assert len({local.date() for local in seen}) == len(seen)
    assert (seen[-1].date() - seen[0].date()).days == len(seen) - 1


@pytest.mark.rule("8.1/rrule-interval", "8.1/rrule-dtstart", "8.1/rrule-parse")
@pytest.mark.parametrize(
    "rule",
    [
        "", "x", "FREQ=SOMETIMES", "INTERVAL=2", "FREQ=MINUTELY", "FREQ=SECONDLY", "freq=secondly",
        "RRULE:FREQ=MINUTELY;INTERVAL=600", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=99999999999999999999", "FREQ=DAILY;BYHOUR=24", "FREQ=DAILY;BYDAY=XX",
        "DTSTART:20260101T000000\nRRULE:FREQ=DAILY", "FREQ=DAILY;dtstart=20260101", "FREQ=DAILY\nEXRULE:FREQ=WEEKLY",
        "RDATE:20270101T000000", "RRULE:FREQ=DAILY RRULE:FREQ=WEEKLY", "RRULE:RRULE:FREQ=DAILY",
        "FREQ=DAILY;BYEASTER=1", "FREQ=DAILY;COUNT=3;UNTIL=20270101", f"FREQ=DAILY;COUNT={LARGEST_COUNT + 1}",
        "FREQ=DAILY;UNTIL=soon", "FREQ=HOURLY;BYSETPOS=5", "FREQ=HOURLY;INTERVAL=24;BYHOUR=5", "FREQ=DAILY;BYSETPOS=0",
        "FREQ=HOURLY;BYMINUTE=" + ",".join(map(str, range(60))), "FREQ=DAILY;BYSECOND=" + ",".join(map(str, range(60)))
        + ";BYMINUTE=1,2,3,4,5", "FREQ=DAILY;BYHOUR=" + "1," * 2000,
    ],
)  # fmt: skip
def test_refused_rules(rule: str) -> None:
    with pytest.raises(Invalid) as caught:
        next_run(rule, "UTC", START, START)
    assert (caught.value.field, caught.value.code) == ("trigger_config__rrule", "invalid_input")
    assert caught.value.message


@given(st.text(max_size=60) | rules().map(lambda rule: rule.replace("=", "", 1)))
@settings(max_examples=150, deadline=None)
@example("FREQ=DAILY;COUNT=\N{ARABIC-INDIC DIGIT THREE}")
@example("FREQ=DAILY;=;")
@example("FREQ=" + "9" * 1000)
def test_no_text_does_worse_than_be_refused(rule: str) -> None:
    field = None
    try:
        next_run(rule, "UTC", START, START)
    except Invalid as error:
        field = error.field
    assert field in (None, "trigger_config__rrule")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYWEEKNO=53;BYMONTH=6;COUNT=5",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;BYSETPOS=1,-1,1,-1,1", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS="
        + ",".join(map(str, range(6, 32))), "FREQ=YEARLY;BYDAY=MO;BYSETPOS=" + ",".join(map(str, range(60, 366))),
        "FREQ=HOURLY;BYWEEKNO=53;BYMONTH=6;BYMINUTE=0,1,2,3,4,5,6,7,8,9,10,11;BYSETPOS=1,2,3,4,5,6;COUNT=5",
        "FREQ=WEEKLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31", "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=HOURLY;COUNT=10000;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;INTERVAL=100000;BYMONTH=13",
        "FREQ=DAILY;COUNT=0",
    ],
)  # fmt: skip
def test_a_rule_that_never_comes_costs_little(rule: str) -> None:
    """Walked to the year 9999 the first of these takes many seconds."""
    began = time.process_time()
    assert next_run(rule, "Europe/Prague", START, START) is None or "COUNT" in rule
    assert time.process_time() - began < 2


def test_an_old_rule_costs_no_more_than_a_young_one() -> None:
    rule = "FREQ=HOURLY;BYMINUTE=0,5,10,15,20,25,30,35,40,45,50,55"
    began = time.process_time()
    for year in range(2030, 2230, 10):
        at = datetime(year, 1, 1, tzinfo=UTC)
        assert next_run(rule, "UTC", START, at) == at + timedelta(seconds=30)
    assert time.process_time() - began < 2
