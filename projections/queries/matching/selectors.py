"""CSS selectors over an event's chain of elements: the subset that the chain can answer.

A step is a tag or `*`, `#id`, `.class`, `[name]` and `[name="value"]` with `= ^= $= *=`, `:nth-child(2)` and
`:nth-of-type(2)`; steps stand inside one another (`a b`) or right inside (`a > b`); commas separate alternatives.
Siblings and other pseudo-classes are not in a chain.
The selector fits when the element that was clicked, or one around it, is what it selects.
"""

from __future__ import annotations

import re
from typing import Literal, cast

from projections.queries.matching.terms import (
    All,
    Attribute,
    Compound,
    Happened,
    Not,
    Part,
    Selected,
    Some,
    Unanswered,
)

LONGEST = 1_000
"""Characters of a selector."""

MOST_STEPS = 6
"""Steps of one alternative."""

MOST_OF_QUERY = 300
"""Steps, classes and attributes of a query's selectors together: the database plans each, in time and memory."""

_NAME = r"-?[A-Za-z_\u0080-\uffff](?:[\w\u0080-\uffff-]|\\[^0-9A-Fa-f\n])*"
_PART = re.compile(
    rf"(?P<tag>\*|{_NAME})|\#(?P<id>{_NAME})|\.(?P<class>{_NAME})"
    r"|:nth-(?P<place>child|of-type)\((?P<number>[1-9][0-9]{0,5})\)"
    r"|\[\s*(?P<attribute>[A-Za-z_][\w:.-]*)\s*"
    r"(?:(?P<how>[~|^$*]?=)\s*(?:\"(?P<double>[^\"\\]*)\"|'(?P<single>[^'\\]*)'|(?P<bare>[\w-]+))\s*)?\]"
)
_BETWEEN = re.compile(r"\s*(?P<child>>)\s*|\s+(?![>+~,]|$)")
_COMMA = re.compile(r"\s*,\s*")


def selectors(text: str) -> tuple[tuple[Compound, ...], ...]:
    """The alternatives, each a chain of steps from the outside in. Raises Unanswered."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise Unanswered("a selector of this length")
    alternatives = list[tuple[Compound, ...]]()
    at = 0
    while True:
        steps, at = _steps(text, at)
        alternatives.append(steps)
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        at = comma.end()
    if at < len(text):
        raise Unanswered("a selector with more than tags, ids, classes and attributes")
    return tuple(alternatives)


def size_of_selectors(part: Part) -> int:
    """How many steps, classes and attributes the selectors in a condition have."""
    match part:
        case All(parts) | Some(parts):
            return sum(map(size_of_selectors, parts))
        case Not(inner):
            return size_of_selectors(inner)
        case Happened(_, tests):
            ways = [way for test in tests if isinstance(test, Selected) for way in test.selectors]
            return sum(1 + len(step.classes) + len(step.attributes) for way in ways for step in way)
        case _:
            return 0


def _steps(text: str, at: int) -> tuple[tuple[Compound, ...], int]:
    steps = list[Compound]()
    child = False
    while True:
        step, at = _step(text, at, child=child)
        steps.append(step)
        if len(steps) > MOST_STEPS:
            raise Unanswered(f"a selector of more than {MOST_STEPS} steps")
        between = _BETWEEN.match(text, at)
        if between is None:
            return tuple(steps), at
        child, at = between["child"] is not None, between.end()


def _step(text: str, at: int, *, child: bool) -> tuple[Compound, int]:
    tag = identity = None
    classes, attributes = list[str](), list[Attribute]()
    began = at
    while found := _PART.match(text, at):
        if found["tag"]:
            if at != began:
                break
            tag = None if found["tag"] == "*" else _plain(found["tag"]).lower()
        elif found["id"]:
            if identity not in (None, _plain(found["id"])):
                raise Unanswered("a selector with two ids in one step")
            identity = _plain(found["id"])
        elif found["place"]:
            attributes.append(Attribute(f":nth-{found['place']}", "=", found["number"]))
        elif found["class"]:
            classes.append(_plain(found["class"]))
        else:
            attributes.append(_attribute(found))
        at = found.end()
    if at == began:
        raise Unanswered("a selector with more than tags, ids, classes and attributes")
    return Compound(tag, identity, tuple(classes), tuple(attributes), child), at


def _attribute(found: re.Match[str]) -> Attribute:
    how = found["how"]
    value = next((found[name] for name in ("double", "single", "bare") if found[name] is not None), "")
    if how in ("~=", "|="):
        raise Unanswered(f"a selector with {how}")
    if how in ("^=", "$=", "*=") and not value:
        raise Unanswered(f"a selector with {how} nothing")
    return Attribute(found["attribute"], cast('Literal["has", "=", "^=", "$=", "*="]', how or "has"), value)


def _plain(name: str) -> str:
    return name.replace("\\", "")
