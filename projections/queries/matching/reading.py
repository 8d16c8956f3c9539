"""Reading a RecordingsQuery: from the stored document to a condition on a session (engine 3.2). Pure.

* Always ANDed: `session_ids`, `distinct_ids` (which win over `person_uuid`), `having_predicates`, and the filters of
  test accounts.
* Joined by `operand`: each of `events`, `actions`, `properties` and `console_log_filters`. With AND, every entity must
  have happened; the filters of an entity speak of one event, and those on console lines together of one line.
* A negative operator means that nothing in the whole session has the positive form. Inside an entity with a name that
  is: no event of that name.
* A property in `properties` means some event of the session, each by itself. In an entity, what does not speak of
  events (person, session, recording) speaks of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from projections.queries.matching.comparing import storable
from projections.queries.matching.definitions import Definitions
from projections.queries.matching.filters import (
    described,
    event_test,
    is_line,
    line_test,
    matching,
    negated,
    session_part,
    shown,
)
from projections.queries.matching.selectors import MOST_OF_QUERY, selectors, size_of_selectors
from projections.queries.matching.terms import (
    All,
    Element,
    EventTest,
    Happened,
    LineTest,
    Named,
    Not,
    Part,
    Property,
    Selected,
    Some,
    Unanswered,
    Visited,
    VisitedBy,
    Wrote,
)

MOST = 200
"""Conditions of one query, those of its actions' steps included."""

NOT_CONDITIONS = frozenset({
    "kind", "date_from", "date_to", "operand", "order", "order_direction", "limit", "offset", "after",
    "user_modified_filters", "modifiers", "response", "tags", "version",
})  # fmt: skip
"""Keys that do not select: the schedule owns the window and the order."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`unanswered`: the conditions that cannot be answered, in a few words each; with any the query selects nothing."""

    part: Part
    unanswered: tuple[str, ...]


def read(query: Mapping[str, Any], definitions: Definitions) -> Reading:
    """Any object is read: what cannot be understood is among the unanswered."""
    reader = _Reader(query, definitions)
    part = reader.read()
    if size_of_selectors(part) > MOST_OF_QUERY:
        reader.unanswered.append(f"selectors of more than {MOST_OF_QUERY} steps, classes and attributes together")
    return Reading(part, tuple(dict.fromkeys(reader.unanswered)))


class _Reader:
    def __init__(self, query: Mapping[str, Any], definitions: Definitions) -> None:
        self._query = query
        self._definitions = definitions
        self._either = query.get("operand") == "OR"
        self._count = 0
        self.unanswered = list[str]()

    def read(self) -> Part:
        given = {key: value for key, value in self._query.items() if value is not None and key not in NOT_CONDITIONS}
        always = [*self._who(given), *self._filters("having_predicates", given.pop("having_predicates", None))]
        if given.pop("filter_test_accounts", False) is True:
            always += self._filters("test accounts", list(self._definitions.test_accounts))
        optional = [*self._entities("events", given.pop("events", None), self._event)]
        optional += self._entities("actions", given.pop("actions", None), self._action)
        optional += self._joined(given.pop("properties", None), given.pop("console_log_filters", None))
        self.unanswered += sorted(shown(str(key)) for key, value in given.items() if value not in ([], {}, False, ""))
        if self._count > MOST:
            self.unanswered.append(f"more than {MOST} conditions")
        if optional:
            always.append(Some(tuple(optional)) if self._either else All(tuple(optional)))
        return All(tuple(always))

    def _who(self, given: dict[str, Any]) -> list[Part]:
        """Sessions and visitors that are named. An empty list is a filter that nothing passes."""
        parts = list[Part]()
        if "session_ids" in given:
            parts.append(Named(self._texts("session_ids", given.pop("session_ids"))))
        person = given.pop("person_uuid", None)
        if "distinct_ids" in given:
            parts.append(Visited(self._texts("distinct_ids", given.pop("distinct_ids"))))
        elif person not in (None, ""):
            try:
                parts.append(VisitedBy(UUID(person)))
            except (ValueError, AttributeError, TypeError):
                self.unanswered.append("person_uuid (no UUID)")
        return parts

    def _texts(self, where: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            self.unanswered.append(where)
            return ()
        return tuple(text for text in cast("list[object]", value) if isinstance(text, str) and storable(text))

    def _list(self, where: str, value: object) -> list[Any]:
        if value is None or isinstance(value, list):
            return cast("list[Any]", value or [])
        self.unanswered.append(where)
        return []

    def _part(self, what: str, made: Callable[[], Part]) -> list[Part]:
        """One condition, or its name among the unanswered."""
        self._count += 1
        if self._count > MOST:
            return []
        try:
            return [made()]
        except Unanswered as error:
            self.unanswered.append(f"{what} ({error})" if str(error) else what)
            return []

    def _filters(self, where: str, value: object) -> list[Part]:
        """Filters that are all ANDed. An empty one filters nothing."""
        found = list[Part]()
        for each in self._list(where, value):
            if each != {}:
                found += self._part(described(where, each), lambda each=each: session_part(_mapping(each)))
        return found

    def _joined(self, properties: object, console: object) -> list[Part]:
        """`properties` and `console_log_filters`; filters on console lines are of one kind wherever they stand."""
        placed = [("properties", each) for each in self._list("properties", properties) if each != {}]
        placed += [("console_log_filters", each) for each in self._list("console_log_filters", console) if each != {}]
        found = list[Part]()
        on_one_line = list[LineTest]()
        for where, each in placed:
            if not is_line(each) or self._either:
                found += self._part(described(where, each), lambda each=each: session_part(_mapping(each)))
                continue

            def line(each: Any = each) -> Part:
                negative, test = line_test(each)
                if negative:
                    return Not(Wrote((test,)))
                on_one_line.append(test)
                return All(())

            found += self._part(described(where, each), line)
        return [*found, Wrote(tuple(on_one_line))] if on_one_line else found

    # --- entities ----------------------------------------------------------------------------------------------------

    def _entities(self, where: str, value: object, made: Callable[[Mapping[str, Any]], Part]) -> list[Part]:
        found = list[Part]()
        for each in self._list(where, value):
            entity = cast("Mapping[str, Any]", each) if isinstance(each, dict) else {"properties": each}
            what = shown(f"{where}: {entity.get('name') or entity.get('id') or 'any'}")
            make = self._action if entity.get("type") == "actions" else made
            found += self._part(what, lambda entity=entity, make=make: make(entity))
        return found

    def _event(self, entity: Mapping[str, Any]) -> Part:
        if entity.get("type", "events") not in ("events", "event", None):
            raise Unanswered(shown(str(entity["type"])))
        name = entity.get("id") if entity.get("id") is not None else entity.get("name")
        return self._happened(_names(name), (), entity.get("properties"))

    def _action(self, entity: Mapping[str, Any]) -> Part:
        steps = self._definitions.actions.get(str(entity.get("id")))
        if steps is None:
            raise Unanswered("no definition")
        self._count += max(len(steps) - 1, 0)
        return Some(tuple(self._step(step, entity.get("properties")) for step in steps))

    def _step(self, step: Mapping[str, Any], also: object) -> Part:
        """A step of an action: an event that has everything that the step names."""
        tests = list[EventTest]()
        if step.get("url"):
            tests.append(Property("$current_url", matching(step.get("url_matching"), step["url"], "contains")))
        for field in ("text", "href"):
            if step.get(field):
                test = matching(step.get(f"{field}_matching"), step[field], "exact")
                tests.append(Element(cast("Any", field), test))
        if step.get("tag_name"):
            tests.append(Element("tag_name", matching(None, step["tag_name"].lower(), "exact")))
        if step.get("selector"):
            tests.append(Selected(selectors(step["selector"])))
        own = self._list("properties", step.get("properties"))
        return self._happened(_names(step.get("event")), tuple(tests), [*own, *self._list("properties", also)])

    def _happened(self, names: tuple[str, ...] | None, tests: Sequence[EventTest], filters: object) -> Part:
        """An event of a name that passes all tests and positive filters, and none of that name any negative one."""
        positive, others = list(tests), list[Part]()
        for each in self._list("properties", filters):
            if each == {}:
                continue
            self._count += 1
            filter_ = _mapping(each)
            try:
                found = event_test(filter_)
                if found is None:
                    others.append(session_part(filter_))
                elif found[0]:
                    others.append(negated(Happened(names, (found[1],)), negative=True))
                else:
                    positive.append(found[1])
            except Unanswered as error:
                reason = f": {error}" if str(error) else ""
                raise Unanswered(shown(f"{filter_.get('type')} {filter_.get('key')}") + reason) from error
        return All((Happened(names, tuple(positive)), *others))


def _names(name: object) -> tuple[str, ...] | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise Unanswered("its name")
    return (name,) if storable(name) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unanswered("no object")
    return cast("Mapping[str, Any]", value)
