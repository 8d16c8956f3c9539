"""What a RecordingsQuery means, between reading it and writing SQL: conditions on one session and tests of one value.

Everything here is positive; `Not` is the only negation, and it stands outside of "some event of the session", so a
negative operator means that no event, line or address of the whole session has the positive form (engine 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

# --- tests of one value; a value that is not there passes none ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Its text is one of these."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """Its text contains one of these, in any case."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """Its text is matched somewhere by one of these patterns, in PostgreSQL's language (regexes.py)."""

    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SamePath:
    """Its text without query, fragment and closing slashes is that of one of these."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """It is a number that is so to one of these."""

    operator: Literal[">", ">=", "<", "<="]
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """It is a number between two, both included."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Within:
    """It is a time: `since` <= it < `until`."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Relative:
    """It is a time before, on the day (in UTC) of, or after the moment that is so long before now."""

    how: Literal["before", "exact", "after"]
    number: int
    unit: Literal["h", "d", "w", "m", "y"]
    """Hours, days of 24 hours, weeks of seven of them, months and years of the calendar."""


Test: TypeAlias = Present | OneOf | Contains | Matches | SamePath | Compared | Between | Within | Relative

# --- tests of one event ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the event."""

    key: str
    test: Test


@dataclass(frozen=True, slots=True)
class Column:
    """What every event has."""

    name: Literal["name", "distinct_id", "at", "session_id", "window_id"]
    test: Test


@dataclass(frozen=True, slots=True)
class Element:
    """Some element of the event's chain: the one that was clicked, or one around it."""

    field: Literal["tag_name", "text", "href"]
    test: Test


@dataclass(frozen=True, slots=True)
class Attribute:
    """`how` as in CSS: has it, equals, begins, ends, contains."""

    name: str
    how: Literal["has", "=", "^=", "$=", "*="]
    value: str


@dataclass(frozen=True, slots=True)
class Compound:
    """One step of a selector: a tag, an id, classes and attributes of one element."""

    tag: str | None
    id: str | None
    classes: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    child: bool
    """Whether it must be right inside the step before it, and not only somewhere inside."""


@dataclass(frozen=True, slots=True)
class Selected:
    """The event's chain has elements, each inside the one before, that fit the steps of one of these selectors."""

    selectors: tuple[tuple[Compound, ...], ...]


EventTest: TypeAlias = Property | Column | Element | Selected

# --- conditions on a session ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class All:
    """Nothing in it: every session."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Nothing in it: no session."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Part


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of the session as a whole, by its name in facts.py."""

    name: str
    test: Test


@dataclass(frozen=True, slots=True)
class Happened:
    """Some event of the session with one of these names (None: any) passes every test."""

    names: tuple[str, ...] | None
    tests: tuple[EventTest, ...]


@dataclass(frozen=True, slots=True)
class LineTest:
    column: Literal["level", "message"]
    test: Test


@dataclass(frozen=True, slots=True)
class Wrote:
    """Some line of the page's console passes every test."""

    tests: tuple[LineTest, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Some visitor of the session is a person with such a property."""

    key: str
    test: Test


@dataclass(frozen=True, slots=True)
class Visited:
    """Some visitor of the session has one of these distinct ids."""

    distinct_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VisitedBy:
    """Some visitor of the session is this person."""

    person_id: UUID


@dataclass(frozen=True, slots=True)
class Named:
    """The session's id is one of these."""

    session_ids: tuple[str, ...]


Part: TypeAlias = All | Some | Not | Fact | Happened | Wrote | Person | Visited | VisitedBy | Named


class Unanswered(Exception):
    """A condition cannot be answered; the text says which one, or why, in a few words for people."""
