"""One property filter of a RecordingsQuery: what it says of a session, or of one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from domain.event_properties import COLUMNS, OF_SERVERS, is_kept
from projections.queries.matching.comparing import compared, storable
from projections.queries.matching.facts import FACTS, RECORDING, SESSION
from projections.queries.matching.selectors import selectors
from projections.queries.matching.terms import (
    Column,
    Element,
    EventTest,
    Fact,
    Happened,
    LineTest,
    Not,
    OneOf,
    Part,
    Person,
    Present,
    Property,
    Relative,
    Selected,
    Some,
    Test,
    Unanswered,
    Within,
    Wrote,
)

Filter = Mapping[str, Any]

SHOWN = 80
"""Characters of a key that are shown."""

_COLUMNS = {"event": "name", "distinct_id": "distinct_id", "timestamp": "at"}
_FEATURE = "$feature/"

NOT_SENT = "a property that no SDK sends"


def described(where: str, filter_: object) -> str:
    """A filter in a few words for people, such as `properties: cohort 12`."""
    if not isinstance(filter_, dict):
        return where
    entry = cast("Filter", filter_)
    key = entry.get("value") if entry.get("type") == "cohort" else entry.get("key")
    return shown(f"{where}: {entry.get('type', 'filter')} {key}")


def shown(text: str) -> str:
    """Text of a stranger's that any answer can carry: short, in one line, no unpaired surrogates."""
    line = "".join(character if character.isprintable() else " " for character in text[: 2 * SHOWN]).rstrip()
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def is_line(filter_: object) -> bool:
    return isinstance(filter_, dict) and cast("Filter", filter_).get("type") == "log_entry"


def session_part(filter_: Filter) -> Part:
    """The filter as a condition on the whole session. Raises Unanswered with the reason, empty for the kind as such."""
    if filter_.get("type") == "event" and filter_.get("key") == "$lib":
        return _fact({"snapshot_library"}, {**filter_, "key": "snapshot_library"})
    if (found := event_test(filter_)) is not None:
        negative, test = found
        return negated(Happened(None, (test,)), negative=negative)
    match filter_.get("type"):
        case "person":
            key = _key(filter_)
            if key.startswith(OF_SERVERS):
                raise Unanswered(NOT_SENT)
            negative, test = _compared(filter_)
            return negated(_with_key(key, lambda key: Person(key, test)), negative=negative)
        case "recording":
            return _fact(RECORDING.keys(), filter_)
        case "session":
            return _fact(SESSION.keys(), filter_)
        case "log_entry":
            negative, line = line_test(filter_)
            return negated(Wrote((line,)), negative=negative)
        case _:
            raise Unanswered


def event_test(filter_: Filter) -> tuple[bool, EventTest] | None:
    """Whether the filter is a negative one, and its positive form as a test of one event; None for other kinds."""
    match filter_.get("type"):
        case "event" | "feature":
            key = _key(filter_)
            if filter_["type"] == "feature" and not key.startswith(_FEATURE):
                key = f"{_FEATURE}{key}"
            negative, test = _compared(filter_)
            return negative, _property(key, test)
        case "event_metadata":
            return _column(filter_)
        case "element":
            return _element(filter_)
        case _:
            return None


def line_test(filter_: Filter) -> tuple[bool, LineTest]:
    """The same for a line of the console."""
    key = _key(filter_)
    negative, test = _compared(filter_)
    if key == "level":
        return negative, LineTest("level", test)
    if key == "message":
        return negative, LineTest("message", test)
    raise Unanswered


def negated(part: Part, *, negative: bool) -> Part:
    return Not(part) if negative else part


def _compared(filter_: Filter) -> tuple[bool, Test]:
    return compared(filter_.get("operator"), filter_.get("value"))


def _property(key: str, test: Test) -> EventTest:
    if key.startswith(OF_SERVERS):
        raise Unanswered(NOT_SENT)
    if key in COLUMNS:
        return Column(cast("Any", COLUMNS[key]), test)
    if not is_kept(key):
        raise Unanswered("a property that is not kept")
    return Property(key, test) if storable(key) else Property("", OneOf(()))


def _key(filter_: Filter) -> str:
    key = filter_.get("key")
    if not isinstance(key, str):
        raise Unanswered
    return key


def _with_key(key: str, made: Callable[[str], Part]) -> Part:
    """Nothing has a key that cannot be stored."""
    return made(key) if storable(key) else Some(())


def _fact(known: Any, filter_: Filter) -> Part:
    key = _key(filter_)
    if key not in known:
        raise Unanswered
    negative, test = _compared(filter_)
    _check_time(FACTS[key].kind == "time", test)
    return negated(Fact(key, test), negative=negative)


def _column(filter_: Filter) -> tuple[bool, EventTest]:
    name = _COLUMNS.get(_key(filter_))
    if name is None:
        raise Unanswered
    negative, test = _compared(filter_)
    _check_time(name == "at", test)
    return negative, Column(cast("Any", name), test)


def _check_time(is_time: bool, test: Test) -> None:  # noqa: FBT001 - the question itself
    if is_time and not isinstance(test, Within | Relative | Present):
        raise Unanswered("a time needs is_date_exact, is_date_before or is_date_after")


def _element(filter_: Filter) -> tuple[bool, EventTest]:
    key = _key(filter_)
    negative, test = _compared(filter_)
    if key == "selector":
        if isinstance(test, Present):
            return negative, Element("tag_name", Present())
        if not isinstance(test, OneOf):
            raise Unanswered("a selector needs exact or is_not")
        return negative, Selected(tuple(way for text in test.texts for way in selectors(text)))
    if key == "tag_name":
        return negative, Element("tag_name", replace(test, texts=_lower(test)) if isinstance(test, OneOf) else test)
    if key in ("text", "href"):
        return negative, Element(cast("Any", key), test)
    raise Unanswered


def _lower(test: OneOf) -> tuple[str, ...]:
    return tuple(text.lower() for text in test.texts)


def matching(how: object, text: str, default: str) -> Test:
    """A test of an action's step: `how` is exact, contains or regex."""
    operators = {"exact": "exact", "contains": "icontains", "regex": "regex"}
    operator = operators.get(default if how is None else str(how))
    if operator is None:
        raise Unanswered
    return compared(operator, text)[1]
