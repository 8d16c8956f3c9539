"""The operators of contract 3.3: from an operator and a filter's value to a test of one value.

How values compare, on both sides:

* As text. Text is itself; true and false are `true` and `false`; a number has all of its digits and no others, so 20.0
  is `20` and 1e-7 is `0.0000001`; an object is its JSON. Null is no value: it is neither set nor anything else.
* `exact` compares a number that was sent, or that is ours, with a filter's number by what they are worth, also with
  text that looks like one.
* Of a list each element is a value of its own, so `$exception_types` can be asked for `TypeError`. It is set, however
  few there are. A list inside a list is its JSON.
* A filter's value may be a list: one of them is enough (none of them for a negative operator). Nulls do not count. A
  value that an operator needs and that is not there cannot be answered, rather than match all or nothing unseen.
* Upper and lower case differ, but for `icontains`.
* `gt`, `gte`, `lt`, `lte`, `min` (at least), `max` (at most) and `between` (both ends included) compare numbers, and
  text that looks like one (matching.number in 0042_matching.sql says when); other text does not match.
* `is_date_*` compare times: ISO 8601 to the microsecond, UTC where no offset is given. `exact` means the same day in
  UTC; a date alone stands for its whole day. `-7d` is the moment seven times 24 hours before now (`h`, `d`, `w`, `m`
  months, `y`; with or without the minus, as the reference product takes it), and now is when the query is asked.
* `regex` finds the pattern anywhere (regexes.py). `is_cleaned_path_exact` compares without query, fragment and closing
  slashes. `in` and `not_in` are `exact` and `is_not`.
* Text that cannot be stored (NUL, unpaired surrogates) equals nothing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Literal, cast

from dateutil.relativedelta import relativedelta

from projections.queries.matching.regexes import translated
from projections.queries.matching.terms import (
    Between,
    Compared,
    Contains,
    Matches,
    OneOf,
    Present,
    Relative,
    SamePath,
    Test,
    Unanswered,
    Within,
)

OPPOSITE = {
    "is_not": "exact",
    "not_icontains": "icontains",
    "not_regex": "regex",
    "is_not_set": "is_set",
    "not_between": "between",
    "not_in": "in",
}
"""Negative operators and the positive form that nothing of the session may have."""

_COMPARED: dict[str, Literal[">", ">=", "<", "<="]] = {
    "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "min": ">=", "max": "<=",
}  # fmt: skip

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
NUMBER_LENGTH = 400
"""Characters of the longest text that is taken for a number, here and in matching.number."""

_TIME = re.compile(
    r"(?P<day>[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))"
    r"(?P<time>[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?"
)

_AGO = re.compile(r"-?(?P<number>[0-9]{1,4})(?P<unit>[hdwmy])")
_LENGTHS = {
    "h": relativedelta(hours=1),
    "d": relativedelta(days=1),
    "w": relativedelta(weeks=1),
    "m": relativedelta(months=1),
    "y": relativedelta(years=1),
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def compared(operator: object, value: object) -> tuple[bool, Test]:
    """Whether the operator is a negative one, and the test of its positive form. No operator means `exact`.

    Raises Unanswered with the reason.
    """
    name = "exact" if operator is None else operator
    if not isinstance(name, str):
        raise Unanswered("its operator")
    positive = OPPOSITE.get(name, name)
    return name in OPPOSITE, _test(positive, value)


def resolved(test: Relative, now: datetime) -> Within:
    """What the test means at a time. What is before the first year is its beginning."""
    try:
        at = now.astimezone(UTC) - _LENGTHS[test.unit] * test.number
    except (ValueError, OverflowError):
        at = _LONG_AGO
    if test.how == "before":
        return Within(None, at)
    return _day_of(at) if test.how == "exact" else Within(at + timedelta(microseconds=1), None)


def storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: what it cannot hold equals nothing."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def is_number(text: str) -> bool:
    """As matching.number in SQL."""
    return len(text) <= NUMBER_LENGTH and _NUMBER.fullmatch(text) is not None


def _test(operator: str, value: object) -> Test:  # noqa: PLR0911 - one a kind
    match operator:
        case "is_set":
            return Present()
        case "exact" | "in":
            return OneOf(_stored(value))
        case "icontains":
            return Contains(_stored(value))
        case "regex":
            return Matches(tuple(translated(pattern) for pattern in _stored(value)))
        case "is_cleaned_path_exact":
            return SamePath(_stored(value))
        case "between":
            return _between(value)
        case "is_date_exact" | "is_date_before" | "is_date_after":
            return _within(operator, value)
        case _ if operator in _COMPARED:
            return Compared(_COMPARED[operator], tuple(_number(text) for text in _texts(value)))
        case _:
            raise Unanswered(f"operator {operator}")


def _texts(value: object) -> tuple[str, ...]:
    """The texts of a filter's value, at least one."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = tuple(_text(each) for each in values if each is not None)
    if not texts:
        raise Unanswered("no value")
    return texts


def _stored(value: object) -> tuple[str, ...]:
    return tuple(text for text in _texts(value) if storable(text))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and isfinite(value):
        return f"{Decimal(repr(value)).normalize():f}" if value else "0"
    if isinstance(value, int) and abs(value) < 10**NUMBER_LENGTH:
        return repr(value)
    raise Unanswered("its value")


def _number(text: str) -> str:
    if not is_number(text):
        raise Unanswered("not a number")
    return text


def _between(value: object) -> Between:
    ends = cast("list[object]", value) if isinstance(value, list) else []
    if len(ends) != 2 or None in ends:  # noqa: PLR2004 - a range has two ends
        raise Unanswered("between needs two numbers")
    low, high = (_number(_text(end)) for end in ends)
    return Between(low, high)


def _within(operator: str, value: object) -> Within | Relative:
    texts = _texts(value)
    if len(texts) != 1:
        raise Unanswered("more than one date")
    if ago := _AGO.fullmatch(texts[0]):
        how = cast('Literal["before", "exact", "after"]', operator.removeprefix("is_date_"))
        return Relative(how, int(ago["number"]), cast('Literal["h", "d", "w", "m", "y"]', ago["unit"]))
    found = _TIME.fullmatch(texts[0])
    if not found:
        raise Unanswered("not a date")
    try:
        at = datetime.fromisoformat(texts[0])
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        day = _day_of(at)
    except (ValueError, OverflowError) as error:
        raise Unanswered("not a date") from error
    if operator == "is_date_before":
        return Within(None, at)
    if operator == "is_date_exact":
        return day
    return Within(at + timedelta(microseconds=1) if found["time"] else day.until, None)


def _day_of(at: datetime) -> Within:
    """The day of UTC that a time is in. Raises OverflowError for the last one of all."""
    day = datetime.combine(at.date(), time(), UTC)
    return Within(day, day + timedelta(days=1))
