"""What an environment defines for recording filters to refer to: test accounts, and actions of its site."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from domain.errors import Invalid
from domain.recordings_query import PropertyFilter

SIZE = 64_000
"""Characters of JSON, as of a recording filter."""

_Text = Annotated[str, Field(min_length=1, max_length=4000)]
_Matching = Literal["exact", "contains", "regex"]
_Filters = Annotated[list[PropertyFilter], Field(max_length=50)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Step(_Strict):
    """An event that has everything that is named here; what is null or left out does not count.

    `url_matching` is `contains` unless it is said otherwise, the other two `exact`.
    """

    event: _Text | None = None
    url: _Text | None = None
    url_matching: _Matching | None = None
    text: _Text | None = None
    text_matching: _Matching | None = None
    href: _Text | None = None
    href_matching: _Matching | None = None
    tag_name: _Text | None = None
    selector: _Text | None = None
    properties: _Filters | None = None


class ActionDefinition(_Strict):
    """Events of a site under a name; one of the steps is enough."""

    id: int
    name: _Text
    steps: Annotated[list[Step], Field(min_length=1, max_length=20)]


_TEST_ACCOUNTS = TypeAdapter(_Filters)
_ACTIONS = TypeAdapter(Annotated[list[ActionDefinition], Field(max_length=200)])

_Objects = list[dict[str, JsonValue]]


def check_test_accounts(filters: object) -> _Objects:
    """Up to 50 property filters, as given. Raises Invalid on `test_accounts`."""
    return _checked("test_accounts", _TEST_ACCOUNTS, filters)


def check_actions(actions: object) -> _Objects:
    """Up to 200 actions of up to 20 steps, as given. Raises Invalid on `actions`, also for an id that stands twice."""
    checked = _checked("actions", _ACTIONS, actions)
    if len({str(action["id"]) for action in checked}) < len(checked):
        raise Invalid("actions", "invalid_input", "Each action needs an id of its own.")
    return checked


def _checked(field: str, shape: TypeAdapter[Any], value: object) -> _Objects:
    written = str(value)
    if len(written) > SIZE or not _storable(value):
        raise Invalid(field, "invalid_input", f"At most {SIZE:,} characters of JSON without NUL are taken.")
    try:
        shape.validate_python(value)
    except (ValidationError, RecursionError) as error:
        raise Invalid(field, "invalid_input", _complaint(error)) from error
    return cast("_Objects", value)


def _complaint(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "It is nested too deep."
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the list'}: {first['msg']}."


def _storable(value: object) -> bool:
    """Whether all text in it can be stored: no NUL, no unpaired surrogate."""
    match value:
        case str():
            return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
        case dict():
            entries = cast("dict[Any, Any]", value)
            return all(_storable(key) and _storable(entry) for key, entry in entries.items())
        case list():
            return all(map(_storable, cast("list[Any]", value)))
        case _:
            return True
