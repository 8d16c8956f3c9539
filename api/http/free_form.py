"""Fields that hold a JSON document of any form: whether it can be kept is asked here, what it says elsewhere."""

from collections.abc import Callable
from typing import Any

from api.http.answers import encode
from api.http.fields import INTEGER_BITS, SURROGATE, Rule, alone, ask, not_null, problem

DOCUMENT_BYTES = 160 * 1024
"""JSON of one stored document: the longest prompt and 100 of the longest tags fit, and an event's cap is kept."""


def storable_document(document: object) -> bool:
    """Whether a JSON value can be stored and read back unchanged: no NUL, no lone surrogate, no giant integer."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if "\x00" in value or SURROGATE.search(value):
                return False
        elif isinstance(value, dict):
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, int) and value.bit_length() > INTEGER_BITS:
            return False
    return True


def document(refusal: str, check: Callable[[object], object] | None = None, *, shape: Any = None) -> Rule:
    """Any JSON value but null that can be stored; whether it is a good one is for `check` or for the domain.

    `check` raises domain.errors.Invalid, of which code and message are kept and the field is this field. `shape` is the
    type that the OpenAPI document shows, any object when there is none.
    """

    def checked(value: object) -> object:
        not_null(value)
        if not storable_document(value) or len(encode(value)) > DOCUMENT_BYTES:
            raise problem("invalid_input", refusal)
        if check is not None:
            ask(check, value)
        return value

    return Rule(alone(checked), {"type": "object"} if shape is None else {}, shape)
