"""Writing a condition as SQL over a row `s` of capture.session.

Every key and value of a query is bound; what stands in the text is ours. Each condition is true or false, never null,
so that `NOT` turns one into the other. The environment comes first in every look-up: nothing of another is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.tenant import Tenant
from projections.queries.matching.comparing import is_number, resolved
from projections.queries.matching.facts import FACTS, Known
from projections.queries.matching.terms import (
    All,
    Attribute,
    Between,
    Column,
    Compared,
    Compound,
    Contains,
    Element,
    EventTest,
    Fact,
    Happened,
    Matches,
    Named,
    Not,
    OneOf,
    Part,
    Person,
    Present,
    Property,
    Relative,
    SamePath,
    Selected,
    Some,
    Test,
    Visited,
    VisitedBy,
    Within,
    Wrote,
)

ENVIRONMENT = "match_environment"
"""Parameter with the tenant's environment; facts.py refers to it too. All parameters begin with `match_`."""

_EVENTS = f"capture.analytics_event e WHERE e.environment_id = %({ENVIRONMENT})s AND e.session_id = s.session_id"
_LINES = f"capture.console_line c WHERE c.environment_id = %({ENVIRONMENT})s AND c.session_id = s.session_id"
_WHO = (
    "(SELECT unnest(s.distinct_ids) AS distinct_id UNION SELECT e.distinct_id "  # noqa: S608 - text of our own
    f"FROM {_EVENTS} AND e.distinct_id IS NOT NULL) w"
)
_VISITOR = f"capture.visitor v WHERE v.environment_id = %({ENVIRONMENT})s AND v.distinct_id = w.distinct_id"
_CHAIN = "jsonb_array_elements(CASE jsonb_typeof(e.elements) WHEN 'array' THEN e.elements ELSE '[]' END)"
_OWN = {"id": "attr_id", "href": "href", ":nth-child": "nth_child", ":nth-of-type": "nth_of_type"}
"""Attributes of an element that the chain has as fields of their own."""

_COLUMNS = {
    "name": "e.name",
    "distinct_id": "e.distinct_id",
    "at": "e.at",
    "session_id": "e.session_id",
    "window_id": "e.window_id",
}


def written(tenant: Tenant, part: Part, now: datetime) -> tuple[str, dict[str, Any]]:
    """The condition and its values. `now` is what relative dates are counted back from."""
    writer = _Writer(tenant, now)
    return writer.part(part), writer.values


class _Writer:
    def __init__(self, tenant: Tenant, now: datetime) -> None:
        self._now = now
        self.values: dict[str, Any] = {ENVIRONMENT: tenant.environment_id}
        self._names = dict[str, str]()

    def part(self, part: Part) -> str:  # noqa: PLR0911 - one a kind
        match part:
            case All(parts):
                return f"({' AND '.join(map(self.part, parts))})" if parts else "true"
            case Some(parts):
                return f"({' OR '.join(map(self.part, parts))})" if parts else "false"
            case Not(inner):
                return f"(NOT {self.part(inner)})"
            case Fact(name, test):
                return f"(({self._fact(FACTS[name], test)}) IS TRUE)"
            case Happened(names, tests):
                named = [] if names is None else [f"e.name = ANY({self._texts(names)})"]
                return self._exists(_EVENTS, [*named, *map(self._event, tests)])
            case Wrote(tests):
                return self._exists(_LINES, [self._text(f"c.{each.column}", each.test) for each in tests])
            case _:
                return self._who(part)

    def _who(self, part: Named | Visited | VisitedBy | Person) -> str:
        match part:
            case Named(ids):
                return f"(s.session_id = ANY({self._texts(ids)}))"
            case Visited(ids):
                bound = self._texts(ids)
                return f"(s.distinct_ids && {bound} OR EXISTS (SELECT FROM {_EVENTS} AND e.distinct_id = ANY({bound})))"
            case VisitedBy(person_id):
                return self._visitor(_VISITOR, f"v.person_id = {self._bound(person_id)}::uuid")
            case Person(key, test):
                value = f"p.properties -> {self._bound(key)}::text"
                if key == "email":
                    value = f"coalesce(nullif({value}, 'null'), to_jsonb(p.email))"
                person = f"p.environment_id = %({ENVIRONMENT})s AND p.person_id = v.person_id"
                return self._visitor(f"capture.person p, {_VISITOR} AND {person}", self._json(value, test))

    def _visitor(self, rows: str, condition: str) -> str:
        """Looked up one by one (OFFSET 0 keeps the planner from it): a session has few visitors, a site many."""
        found = f"(SELECT FROM {rows} AND {condition} OFFSET 0)"
        return f"(EXISTS (SELECT FROM {_WHO}, LATERAL {found} found))"

    def _exists(self, rows: str, conditions: list[str]) -> str:
        return f"(EXISTS (SELECT FROM {' AND '.join([rows, *conditions])}))"

    # --- events ------------------------------------------------------------------------------------------------------

    def _event(self, test: EventTest) -> str:
        match test:
            case Property(key, inner):
                return self._json(f"e.properties -> {self._bound(key)}::text", inner)
            case Column("at", inner):
                return self._time("e.at", inner)
            case Column(name, inner):
                return self._text(_COLUMNS[name], inner)
            case Element(field, inner):
                value = f"(x.el ->> '{field}')"
                return f"EXISTS (SELECT FROM {_CHAIN} x(el) WHERE {self._text(value, inner)})"
            case Selected(ways):
                return f"({' OR '.join(map(self._chain, ways))})" if ways else "false"

    def _chain(self, steps: tuple[Compound, ...]) -> str:
        """A chain begins with the innermost element, so what stands around another has a larger place.

        Steps right inside one another are looked for together, at the innermost place that fits, and the next ones
        around that place: the innermost leaves the most room, so no other needs to be tried and an event costs
        steps times elements. A join of the steps would try every combination.
        """
        inner, rows = None, ""
        for group in _groups(steps):
            rows, conditions = self._together(group)
            conditions += [] if inner is None else [f"x.place > {inner}"]
            rows += f" WHERE {' AND '.join(conditions) or 'true'}"
            inner = f"(SELECT min(x.place) + {len(group) - 1} FROM {rows})"  # noqa: S608 - text of our own
        return f"EXISTS (SELECT FROM {rows})"

    def _together(self, group: Sequence[Compound]) -> tuple[str, list[str]]:
        """Elements `x.el` with those around them, and what steps right inside one another, innermost first, ask."""
        innermost, *around = group
        conditions = self._compound("x.el", innermost)
        if not around:
            return f"{_CHAIN} WITH ORDINALITY x(el, place)", conditions
        for number, step in enumerate(around, start=1):
            conditions += [f"x.up{number} IS NOT NULL", *self._compound(f"x.up{number}", step)]
        ups = ", ".join(f"lead(c.el, {number}) OVER w AS up{number}" for number in range(1, len(group)))
        return (
            f"(SELECT c.el, c.place, {ups} FROM {_CHAIN} WITH ORDINALITY c(el, place) "  # noqa: S608 - of our own
            "WINDOW w AS (ORDER BY c.place)) x"
        ), conditions

    def _compound(self, element: str, step: Compound) -> list[str]:
        found = list[str]()
        if step.tag is not None:
            found.append(f"{element} ->> 'tag_name' = {self._bound(step.tag)}::text")
        if step.id is not None:
            found.append(f"{element} ->> 'attr_id' = {self._bound(step.id)}::text")
        found += [f"{element} -> 'attr_class' ? {self._bound(name)}::text" for name in step.classes]
        found += [self._attribute(element, attribute) for attribute in step.attributes]
        return found

    def _attribute(self, element: str, attribute: Attribute) -> str:
        own = _OWN.get(attribute.name)
        listed = f"{element} -> 'attributes'"
        plain, prefixed = self._bound(attribute.name), self._bound(f"attr__{attribute.name}")
        value = f"coalesce({listed} ->> {plain}::text, {listed} ->> {prefixed}::text)"
        if own is not None:
            value = f"coalesce({element} ->> '{own}', {value})"
        match attribute.how:
            case "has":
                return f"{value} IS NOT NULL"
            case "=":
                return f"{value} = {self._bound(attribute.value)}::text"
            case "^=":
                return f"starts_with({value}, {self._bound(attribute.value)}::text)"
            case "$=":
                wanted = self._bound(attribute.value)
                return f"right({value}, length({wanted}::text)) = {wanted}::text"
            case "*=":
                return f"position({self._bound(attribute.value)}::text IN {value}) > 0"

    # --- values ------------------------------------------------------------------------------------------------------

    def _fact(self, known: Known, test: Test) -> str:
        match known.kind:
            case "text":
                return self._text(known.sql, test)
            case "texts":
                return f"EXISTS (SELECT FROM unnest({known.sql}) u(value) WHERE {self._text('u.value', test)})"
            case "json":
                return self._json(known.sql, test)
            case "time":
                return self._time(known.sql, test)
            case "number":
                return self._number(known.sql, test)

    def _json(self, value: str, test: Test) -> str:
        """JSON that a page sent: of a list some element passes. It is read once, since what is long is compressed."""
        if isinstance(test, Present):
            return f"nullif({value}, 'null') IS NOT NULL"
        whole, element = self._single("j.value", test), self._single("i.value", test)
        some = f"EXISTS (SELECT FROM jsonb_array_elements(j.value) i(value) WHERE {element})"
        passes = f"CASE jsonb_typeof(j.value) WHEN 'array' THEN {some} ELSE {whole} END"
        return f"EXISTS (SELECT FROM (SELECT {value} AS value OFFSET 0) j WHERE {passes})"

    def _single(self, value: str, test: Test) -> str:
        """JSON that is no list, or stands in one. Its numbers keep the digits that were sent, as in 20.0."""
        plain = f"({value} #>> ARRAY[]::text[])"
        is_a_number = f"jsonb_typeof({value}) = 'number'"
        if isinstance(test, OneOf) and any(map(is_number, test.texts)):
            number = self._number(f"{plain}::numeric", test)
            return f"CASE WHEN {is_a_number} THEN {number} ELSE {self._text(plain, test)} END"
        return self._text(f"(CASE WHEN {is_a_number} THEN trim_scale({plain}::numeric)::text ELSE {plain} END)", test)

    def _number(self, value: str, test: Test) -> str:
        """A number of ours; its text has no zeros behind the last digit."""
        match test:
            case OneOf(texts):
                return f"{value} = ANY({self._texts(tuple(filter(is_number, texts)))}::numeric[])"
            case Compared(operator, numbers):
                return f"{value} {operator} ANY({self._texts(numbers)}::numeric[])"
            case Between(low, high):
                return f"{value} BETWEEN {self._bound(low)}::numeric AND {self._bound(high)}::numeric"
            case _:
                return self._text(f"trim_scale({value})::text", test)

    def _text(self, value: str, test: Test) -> str:  # noqa: PLR0911 - one a kind
        match test:
            case Present():
                return f"{value} IS NOT NULL"
            case OneOf(texts):
                return f"{value} = ANY({self._texts(texts)})"
            case Contains(texts):
                return self._any(f"position(lower({{}}::text) IN lower({value})) > 0", texts)
            case Matches(patterns):
                return self._any(f'{value} COLLATE "C" ~ {{}}::text', patterns)
            case SamePath(texts):
                return self._any(f"matching.path({value}) = matching.path({{}}::text)", texts)
            case Compared() | Between():
                return self._number(f"matching.number({value})", test)
            case Within(since, until):
                return self._between(f"matching.instant({value})", since, until)
            case Relative():
                return self._text(value, resolved(test, self._now))

    def _time(self, milliseconds: str, test: Test) -> str:
        match test:
            case Within(since, until):
                return self._between(f"to_timestamp({milliseconds} / 1000.0)", since, until)
            case Relative():
                return self._time(milliseconds, resolved(test, self._now))
            case _:
                return f"{milliseconds} IS NOT NULL"

    def _between(self, value: str, since: object, until: object) -> str:
        ends = [f"{value} >= {self._bound(since)}::timestamptz"] if since is not None else []
        ends += [f"{value} < {self._bound(until)}::timestamptz"] if until is not None else []
        return " AND ".join(ends)

    def _any(self, condition: str, texts: tuple[str, ...]) -> str:
        return f"({' OR '.join(condition.format(self._bound(text)) for text in texts)})" if texts else "false"

    def _texts(self, texts: tuple[str, ...]) -> str:
        return f"{self._bound(list(texts))}::text[]"

    def _bound(self, value: object) -> str:
        """Text that is asked for twice is bound once: a statement has room for 65,535 values."""
        name = f"match_{len(self.values)}"
        if isinstance(value, str):
            name = self._names.setdefault(value, name)
        self.values[name] = value
        return f"%({name})s"


def _groups(steps: tuple[Compound, ...]) -> list[list[Compound]]:
    """Steps that stand right inside one another, together; everything innermost first."""
    groups = list[list[Compound]]()
    for step in steps:
        if step.child and groups:
            groups[-1].insert(0, step)
        else:
            groups.append([step])
    return groups[::-1]
