"""The selectors of the tests, taken apart by hand, and whether a chain of elements has what they select."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Element = dict[str, Any]
Step = tuple[str, Callable[[Element], bool]]


def _tag(name: str) -> Callable[[Element], bool]:
    return lambda element: element.get("tag_name") == name


def _has_class(name: str) -> Callable[[Element], bool]:
    return lambda element: name in (element.get("attr_class") or [])


def _attribute(name: str) -> Callable[[Element], str]:
    return lambda element: (element.get("attributes") or {}).get(name) or ""


SELECTORS: dict[str, list[list[Step]]] = {
    "button": [[("", _tag("button"))]],
    "*": [[("", lambda _: True)]],
    ".cta": [[("", _has_class("cta"))]],
    "button.cta.big": [[("", lambda e: _tag("button")(e) and _has_class("cta")(e) and _has_class("big")(e))]],
    "#buy": [[("", lambda e: e.get("attr_id") == "buy")]],
    "a[href='/x']": [[("", lambda e: _tag("a")(e) and e.get("href") == "/x")]],
    "div > button": [[("", _tag("div")), (">", _tag("button"))]],
    "form button": [[("", _tag("form")), (" ", _tag("button"))]],
    "form > div .cta": [[("", _tag("form")), (">", _tag("div")), (" ", _has_class("cta"))]],
    "div div > button": [[("", _tag("div")), (" ", _tag("div")), (">", _tag("button"))]],
    "div > * > .cta": [[("", _tag("div")), (">", lambda _: True), (">", _has_class("cta"))]],
    "div > form div > button": [[("", _tag("div")), (">", _tag("form")), (" ", _tag("div")), (">", _tag("button"))]],
    "div div div": [[("", _tag("div")), (" ", _tag("div")), (" ", _tag("div"))]],
    '[data-x^="ab"]': [[("", lambda e: _attribute("data-x")(e).startswith("ab"))]],
    "[data-x$=bc]": [[("", lambda e: _attribute("data-x")(e).endswith("bc"))]],
    "[data-x*='b']": [[("", lambda e: "b" in _attribute("data-x")(e))]],
    "[data-x]": [[("", lambda e: "data-x" in (e.get("attributes") or {}))]],
    "a, #buy": [[("", _tag("a"))], [("", lambda e: e.get("attr_id") == "buy")]],
}


def selected(selector: str, chain: list[Element]) -> bool:
    """A chain is innermost first."""
    outside_in = chain[::-1]
    return any(_found(steps, outside_in, range(len(outside_in))) for steps in SELECTORS[selector])


def _found(steps: list[Step], elements: list[Element], places: Any) -> bool:
    """The first step at one of these places, and the others inside it."""
    for place in places:
        if not steps[0][1](elements[place]):
            continue
        if len(steps) == 1:
            return True
        right_inside = steps[1][0] == ">"
        inside = range(place + 1, min(place + 2, len(elements)) if right_inside else len(elements))
        if _found(steps[1:], elements, inside):
            return True
    return False
