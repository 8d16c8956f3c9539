"""Quota periods: half-open UTC calendar months (contract 7)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.quota import Period


@pytest.mark.rule("7/period", "7/period-december", "trap/57")
@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-11", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01", datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)),
        ("2028-02", datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_bounds_also_of_december_and_of_leap_years(text: str, start: datetime, end: datetime) -> None:
    period = Period.parse(text)
    assert (period.start, period.end, str(period)) == (start, end, text)


@pytest.mark.rule("7/period-end", "trap/57")
def test_the_end_belongs_to_the_next_period() -> None:
    december = Period(2026, 12)
    assert Period.of(december.start) == december
    assert Period.of(december.end - timedelta(microseconds=1)) == december
    assert Period.of(december.end) == Period(2027, 1)


@pytest.mark.rule("7/period", "trap/57")
def test_the_month_is_that_of_utc_whatever_zone_the_time_comes_in() -> None:
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))
    assert Period.of(datetime(2027, 1, 1, 13, 59, tzinfo=east)) == Period(2026, 12)
    assert Period.of(datetime(2026, 12, 31, 13, 0, tzinfo=west)) == Period(2027, 1)


BEGINNING = datetime.fromisoformat("1970-01-02T00:00:00")
END = datetime.fromisoformat("9998-12-30T00:00:00")


@given(st.datetimes(BEGINNING, END, timezones=st.timezones()))
def test_every_moment_lies_in_its_period(at: datetime) -> None:
    period = Period.of(at)
    assert period.start <= at < period.end
    assert Period.parse(str(period)) == period
    assert Period.of(period.end).start == period.end
