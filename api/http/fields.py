"""Field types with the leniency and the literal texts of the reference framework (contract 2.2).

A request body is a pydantic model made of these types. `read` reports the first problem only, in declaration order;
checks across fields (`model_validator(mode="after")`) run when every field has passed.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from api.http.errors import echo
from domain.errors import Invalid

NUMBER_TEXT = 1000
"""Longest text taken for a number, as in the reference framework."""

INTEGER_BITS = 63
"""Integers inside stored documents fit the 64 bits of JSON libraries, ours included."""

WHOLE = "non_field_errors"
"""Stands for a nested object as a whole in the path of a problem."""


class Body(BaseModel):
    """Base of request bodies: unknown and read-only fields are ignored (contract 1)."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    def given(self) -> dict[str, Any]:
        """The fields that the request named, in declaration order; bodies inside likewise."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields if name in self.model_fields_set}


def _plain(value: Any) -> Any:
    if isinstance(value, Body):
        return value.given()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def without_defaults(schema: dict[str, Any]) -> None:
    """What an edit leaves out stays as it is: the OpenAPI document must not promise a default."""
    for described in schema["properties"].values():
        described.pop("default", None)


B_ = TypeVar("B_", bound=Body)


def problem(code: str, message: str, at: str = "") -> PydanticCustomError:
    """A validator's refusal: of its own field, or, from a check across fields, of the field `at`, or of the WHOLE."""
    return PydanticCustomError(code, "{message}", {"message": message, "at": at})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Rule:
    """Metadata of an `Annotated` field: `check` sees the raw value and gives the one to keep, or raises `problem`."""

    check: Callable[[object, ValidationInfo], object]
    described: Mapping[str, Any]
    """What the OpenAPI document says beyond the type."""
    shape: Any = None
    """A type that the OpenAPI document shows instead of the field's own; None for the field's own."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        shown = schema if self.shape is None else TypeAdapter(self.shape).core_schema
        return {**handler(shown), **self.described}


def alone(check: Callable[[object], object]) -> Callable[[object, ValidationInfo], object]:
    """A check that needs nothing but the value."""

    def checked(value: object, _: ValidationInfo) -> object:
        return check(value)

    return checked


def read(model: type[B_], document: object, *, choices: Mapping[str, Any] | None = None) -> B_:
    """The body as a `model`.

    `choices` gives the values of fields whose choices are configuration, and by field name what `reference` asks.
    Raises domain.errors.Invalid for the first problem: `field` is the path joined with `__`, None for the whole body.
    """
    if document is None:
        raise Invalid(None, "null", "No data provided")
    if not isinstance(document, dict):
        raise Invalid(None, "invalid_input", f"Invalid data. Expected a dictionary, but got {kind(document)}.")
    try:
        return model.model_validate(document, context=dict(choices or {}))
    except ValidationError as error:
        raise _first(error) from None


def _first(error: ValidationError) -> Invalid:
    first = error.errors(include_url=False)[0]
    attr, value, context = _path(*first["loc"]), first["input"], first.get("ctx", {})
    if "message" in context:
        return Invalid(_path(*first["loc"], context["at"]), first["type"], str(context["message"]))
    if first["type"] == "missing":
        return Invalid(attr, "required", "This field is required.")
    if value is None:
        return Invalid(attr, "null", "This field may not be null.")
    if first["type"] == "model_type":
        message = f"Invalid data. Expected a dictionary, but got {kind(value)}."
        return Invalid(_path(*first["loc"], WHOLE), "invalid_input", message)
    if first["type"] == "list_type":
        return Invalid(attr, "not_a_list", f'Expected a list of items but got type "{kind(value)}".')
    return Invalid(attr, "invalid_input", "Invalid value.")


def _path(*parts: str | int) -> str | None:
    named = [str(part) for part in parts if part != ""]
    return None if named in ([], [WHOLE]) else "__".join(named)


def ask(check: Callable[[Any], object], value: object) -> None:
    """Runs a rule of the domain on one field's value; its refusal becomes that field's."""
    try:
        check(value)
    except Invalid as error:
        raise problem(error.code, error.message) from None


def kind(value: object) -> str:
    return type(value).__name__


def not_null(value: object) -> None:
    if value is None:
        raise problem("null", "This field may not be null.")


# --- text -----------------------------------------------------------------------------------------------------------

SURROGATE = re.compile("[\ud800-\udfff]")

NO_NUL = r"^[^\u0000]*$"
NOT_BLANK = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"
"""For the OpenAPI document. White space is what Python strips, which is a little more than what `\\s` says there."""


def _as_text(value: object) -> str:
    not_null(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise problem("invalid_input", "Not a valid string.")
    try:
        return str(value).strip()
    except ValueError:  # an integer of thousands of digits, which Python declines to print
        raise problem("invalid_input", "Not a valid string.") from None


def check_storable(text: str) -> None:
    """Refuses what neither PostgreSQL nor UTF-8 can hold: NUL characters and lone surrogates."""
    if "\x00" in text:
        raise problem("null_characters_not_allowed", "Null characters are not allowed.")
    if found := SURROGATE.search(text):
        message = f"Surrogate characters are not allowed: U+{ord(found.group()):X}."
        raise problem("surrogate_characters_not_allowed", message)


def text(max_length: int, *, blank: bool = False, check: Callable[[str], object] | None = None) -> Rule:
    """A trimmed string of at most `max_length` characters; numbers are taken as their digits, booleans are not.

    `check` raises domain.errors.Invalid.
    """

    def checked(value: object) -> str:
        cleaned = _as_text(value)
        if not cleaned and not blank:
            raise problem("blank", "This field may not be blank.")
        if len(cleaned) > max_length:
            raise problem("max_length", f"Ensure this field has no more than {max_length} characters.")
        check_storable(cleaned)
        if check is not None:
            ask(check, cleaned)
        return cleaned

    described = {"maxLength": max_length, "pattern": NO_NUL if blank else NOT_BLANK}
    return Rule(alone(checked), described if blank else {"minLength": 1, **described})


def several(most: int, *, least: int = 1) -> Rule:
    """A list of ``least`` (0 or 1) to ``most`` items."""

    def check(value: object) -> object:
        not_null(value)
        if isinstance(value, list):
            if len(value) < least:
                raise problem("empty", "This list may not be empty.")
            if len(value) > most:
                raise problem("max_length", f"Ensure this field has no more than {most} elements.")
        return value

    return Rule(alone(check), {"minItems": least, "maxItems": most})


def choice(*values: str, refused: Collection[str] = ()) -> Rule:
    """One of a closed set of words; those in ``refused`` are known and not taken."""
    chosen = _chooser(lambda _: values)

    def check(value: object, info: ValidationInfo) -> str:
        word = chosen(value, info)
        if word in refused:
            raise problem("invalid_input", f'"{word}" is not supported yet.')
        return word

    return Rule(check, {"enum": [value for value in values if value not in refused]})


def configured_choice(name: str) -> Rule:
    """One of the words that `read` was given under `name` in `choices`."""
    return Rule(_chooser(lambda info: (info.context or {})[name]), {})


def _chooser(values: Callable[[ValidationInfo], Iterable[str]]) -> Callable[[object, ValidationInfo], str]:
    def check(value: object, info: ValidationInfo) -> str:
        not_null(value)
        if isinstance(value, str) and value in values(info):
            return value
        shown = echo(value) if isinstance(value, str | bool | float) else short(value)
        raise problem("invalid_choice", f'"{shown}" is not a valid choice.')

    return check


def short(value: object) -> str:
    """Lists, objects and huge integers are named by kind: printing them costs without bound."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and value.bit_length() <= INTEGER_BITS else kind(value)


# --- numbers and booleans -------------------------------------------------------------------------------------------


def _as_number(value: object) -> float:
    not_null(value)
    if isinstance(value, str) and len(value) > NUMBER_TEXT:
        raise problem("max_string_length", "String value too large.")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise problem("invalid_input", "A valid number is required.")
    try:
        number = float(value)
    except OverflowError:
        return math.inf if isinstance(value, int) and value > 0 else -math.inf
    except ValueError:
        raise problem("invalid_input", "A valid number is required.") from None
    if math.isnan(number):
        raise problem("invalid_input", "A valid number is required.")
    return number


def _as_integer(value: object) -> int:
    not_null(value)
    if isinstance(value, str) and len(value) > NUMBER_TEXT:
        raise problem("max_string_length", "String value too large.")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise problem("invalid_input", "A valid integer is required.")
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not value.is_integer():
            raise problem("invalid_input", "A valid integer is required.")
        return int(value)
    matched = re.fullmatch(r"\s*([+-]?[0-9]+)(?:\.0*)?\s*", value)
    if not matched:
        raise problem("invalid_input", "A valid integer is required.")
    return int(matched.group(1))


def _within(value: float, low: float | None, high: float | None) -> None:
    if high is not None and value > high:
        raise problem("max_value", f"Ensure this value is less than or equal to {high}.")
    if low is not None and value < low:
        raise problem("min_value", f"Ensure this value is greater than or equal to {low}.")


def number(
    low: float | None = None,
    high: float | None = None,
    check: Callable[[float], None] | None = None,
    described: Mapping[str, Any] | None = None,
) -> Rule:
    """A finite number, also as a string ("0.5"); both limits included.

    `check` raises domain.errors.Invalid; `described` says in the OpenAPI document what it checks.
    """

    def checked(value: object) -> float:
        taken = _as_number(value)
        _within(taken, low, high)
        if math.isinf(taken):
            raise problem("invalid_input", "A valid number is required.")
        if check is not None:
            ask(check, taken)
        return taken

    limits = {name: limit for name, limit in (("minimum", low), ("maximum", high)) if limit is not None}
    return Rule(alone(checked), {**limits, **(described or {})})


def integer(low: int, high: int) -> Rule:
    """A whole number, also as a string ("5") or with an empty fraction (5.0); both limits included."""

    def check(value: object) -> int:
        taken = _as_integer(value)
        _within(taken, low, high)
        return taken

    return Rule(alone(check), {"minimum": low, "maximum": high})


def one_of(*values: int) -> Rule:
    """One of a closed set of whole numbers, read as `integer` does."""

    def check(value: object) -> int:
        taken = _as_integer(value)
        if taken not in values:
            raise problem("invalid_choice", f'"{short(taken)}" is not a valid choice.')
        return taken

    return Rule(alone(check), {"enum": list(values)})


_TRUE = {"t", "T", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1"}
_FALSE = {"f", "F", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "0"}


def _as_flag(value: object) -> bool:
    not_null(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return value == 1
    if isinstance(value, str) and value in _TRUE:
        return True
    if isinstance(value, str) and value in _FALSE:
        return False
    raise problem("invalid_input", "Must be a valid boolean.")


Flag = Annotated[bool, Rule(alone(_as_flag), {})]
"""A boolean, also as the words and digits of contract 2.2."""
