"""The elements that autocapture names: the one that was clicked first, then what encloses it.

New SDKs send them as one text, `$elements_chain`:

    a.plink:attr__class="plink"attr__href="/product/2"href="/product/2"nth-child="1"text="Pack";body:nth-child="2"

old ones as a list of objects, `$elements`. Both become `{tag_name, text, href, attr_id, attr_class: [..],
nth_child, nth_of_type, attributes: {..}}`, what is not there left out. Names of attributes keep the SDK's `attr__`.
"""

import re
from collections.abc import Iterator
from itertools import islice

from consumers.capture.analytics.bounds import storable
from consumers.capture.wire.encodings import Json

MAX_CHAIN = 10_000
"""Characters that are read of a chain: the largest of the corpus has under 1,000. What is cut off encloses the rest."""
MAX_ELEMENTS = 50
MAX_ATTRIBUTES = 40
MAX_CLASSES = 40
MAX_TEXT = 400
"""The SDK itself cuts the text of an element at 255 characters (not observed longer)."""

Element = dict[str, Json]

_MARK = re.compile(r'\\.|[";]', re.DOTALL)
_ATTRIBUTES = re.compile(r':(?=[\w-]*=")')
_VALUE = re.compile(r'([^="]*)="((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_NUMBERS = {"nth-child": "nth_child", "nth-of-type": "nth_of_type", "nth_child": "nth_child"}
_NUMBERS["nth_of_type"] = "nth_of_type"
_TEXTS = {"text": "text", "$el_text": "text", "href": "href", "attr__href": "href"}
_TEXTS |= {"attr_id": "attr_id", "attr__id": "attr_id"}
_MAX_DIGITS = 9


def elements_of(given: Json) -> list[Element] | None:
    """The elements of a chain, or of the list of an old SDK; None when there are none in it."""
    if isinstance(given, str):
        found = [element for part in _parts(given[:MAX_CHAIN]) if (element := _from_text(part)) is not None]
    elif isinstance(given, list):
        objects = (one for one in given if isinstance(one, dict))
        found = [element for one in islice(objects, MAX_ELEMENTS) if (element := _from_object(one)) is not None]
    else:
        found = []
    return found or None


def _parts(chain: str) -> Iterator[str]:
    """What stands between semicolons outside quotes. One pass, whatever the text."""
    quoted, start, seen = False, 0, 0
    for mark in _MARK.finditer(chain):
        if mark[0] == '"':
            quoted = not quoted
        elif mark[0] == ";" and not quoted:
            yield chain[start : mark.start()]
            start, seen = mark.end(), seen + 1
            if seen == MAX_ELEMENTS:
                return
    yield chain[start:]


def _from_text(part: str) -> Element | None:
    cut = _ATTRIBUTES.search(part)
    head = part[: cut.start()] if cut else part.removesuffix(":")
    tag, *classes = head.strip().split(".")
    values: list[tuple[str, Json]] = []
    place = cut.end() if cut else len(part)
    while len(values) < MAX_ATTRIBUTES and (found := _VALUE.match(part, place)) is not None:
        values.append((found[1].strip(), _ESCAPED.sub(r"\1", found[2])))
        place = found.end()
    return _element(tag, [name for name in classes if name], values)


def _from_object(given: dict[str, Json]) -> Element | None:
    tag = given.get("tag_name")
    classes = given.get("attr_class") or given.get("classes") or []
    if isinstance(classes, str):
        classes = classes.split()
    names = [name for name in classes if isinstance(name, str)] if isinstance(classes, list) else []
    nested = given.get("attributes")
    values = [*given.items(), *(nested.items() if isinstance(nested, dict) else ())]
    return _element(tag if isinstance(tag, str) else "", names, values[: 2 * MAX_ATTRIBUTES])


def _element(tag: str, classes: list[str], values: list[tuple[str, Json]]) -> Element | None:
    element: Element = {"tag_name": storable(tag.lower(), MAX_TEXT)} if tag else {}
    attributes: dict[str, Json] = {}
    for name, value in values:
        if name in _NUMBERS and (number := _number(value)) is not None:
            element[_NUMBERS[name]] = number
        elif isinstance(value, str):
            if name in _TEXTS:
                element.setdefault(_TEXTS[name], storable(value, MAX_TEXT))
            if name == "attr__class":
                classes = value.split()
            if name.startswith("attr__"):
                attributes[storable(name, MAX_TEXT)] = storable(value, MAX_TEXT)
    if classes:
        element["attr_class"] = [storable(name, MAX_TEXT) for name in classes[:MAX_CLASSES]]
    if attributes:
        element["attributes"] = attributes
    return element or None


def _number(value: Json) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MAX_DIGITS:
        return int(value)
    return value if isinstance(value, int) and 0 <= value < 10**_MAX_DIGITS else None
