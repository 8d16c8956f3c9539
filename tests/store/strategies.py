"""Any event of any class, built by Hypothesis from the event classes' own annotations."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from domain.event import EVENT_CLASSES, Event

EARLIEST = datetime.fromisoformat("1970-01-01T00:00:00")
LATEST = datetime.fromisoformat("9999-12-31T00:00:00")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=6,
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: INTEGERS,
    float: FLOATS,
    bool: st.booleans(),
    UUID: st.uuids(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    datetime: st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    type(None): st.none(),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field. A kind of annotation that is not known here is an error, so that nothing goes untested."""
    if annotation is JsonValue:
        return JSON
    if annotation in PLAIN:
        return PLAIN[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in COMPOUND:
        return COMPOUND[origin](arguments)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation)
    message = f"no strategy for {annotation}"
    raise TypeError(message)


COMPOUND: dict[Any, Callable[[tuple[Any, ...]], st.SearchStrategy[Any]]] = {
    Literal: st.sampled_from,
    Union: lambda choices: st.one_of(*map(values, choices)),
    types.UnionType: lambda choices: st.one_of(*map(values, choices)),
    list: lambda items: st.lists(values(items[0]), max_size=3),
    dict: lambda items: st.dictionaries(values(items[0]), values(items[1]), max_size=3),
}


def models(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    fields = {name: values(field.annotation) for name, field in model.model_fields.items()}
    return st.fixed_dictionaries(fields).map(lambda chosen: model(**chosen))


EVENTS: dict[str, st.SearchStrategy[Event]] = {
    topic: models(event_class) for topic, event_class in EVENT_CLASSES.items()
}
