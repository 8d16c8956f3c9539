"""Exceptions that a page's SDK reports, in one form for SDKs of all ages.

New ones send `$exception_list` (type, value and frames of each, the outermost first), old ones `$exception_type`,
`$exception_message` and a stack trace as text. Both get `$exception_types` and `$exception_values`, the two lists that
the reference product makes of them and that filters ask for.
"""

from collections.abc import Mapping

from consumers.capture.analytics.bounds import storable
from consumers.capture.wire.encodings import Json

EVENT = "$exception"

MAX_EXCEPTIONS = 4
"""Of a chain of causes."""
MAX_FRAMES = 10
MAX_FRAME_TEXT = 200
MAX_TYPE = 200
MAX_VALUE = 1_000

_FRAME = ("filename", "function", "module", "lineno", "colno", "in_app")


def with_exceptions(properties: Mapping[str, Json]) -> dict[str, Json]:
    """The properties of an `$exception` event: the list small enough to be kept, and the two lists made of it."""
    found = _listed(properties.get("$exception_list"))
    types = [one["type"] for one in found if "type" in one]
    values = [one["value"] for one in found if "value" in one]
    if not found:
        types = _texts(properties, "$exception_type", MAX_TYPE)
        values = _texts(properties, "$exception_message", MAX_VALUE)
    listed: dict[str, Json] = {"$exception_list": [*found]} if found else {}
    made: dict[str, Json] = {"$exception_types": types} if types else {}
    if values:
        made["$exception_values"] = values
    # In front: of many properties the first are kept.
    return {**made, **properties, **listed, **made}


def _listed(given: Json) -> list[dict[str, Json]]:
    if not isinstance(given, list):
        return []
    return [_exception(one) for one in given[:MAX_EXCEPTIONS] if isinstance(one, dict)]


def _exception(given: dict[str, Json]) -> dict[str, Json]:
    kept: dict[str, Json] = {}
    for name, longest in (("type", MAX_TYPE), ("value", MAX_VALUE)):
        if isinstance(text := given.get(name), str) and text:
            kept[name] = storable(text, longest)
    trace = given.get("stacktrace")
    frames = trace.get("frames") if isinstance(trace, dict) else None
    if isinstance(frames, list):
        kept["stacktrace"] = {"frames": [_frame(one) for one in frames[:MAX_FRAMES] if isinstance(one, dict)]}
    return kept


def _frame(given: dict[str, Json]) -> dict[str, Json]:
    kept: dict[str, Json] = {}
    for name in _FRAME:
        value = given.get(name)
        if isinstance(value, str):
            kept[name] = storable(value, MAX_FRAME_TEXT)
        elif isinstance(value, bool | int):
            kept[name] = value
    return kept


def _texts(properties: Mapping[str, Json], name: str, longest: int) -> list[Json]:
    text = properties.get(name)
    return [storable(text, longest)] if isinstance(text, str) and text else []
