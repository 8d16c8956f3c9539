"""List parameters: each reads itself from a query and describes itself for the OpenAPI document (contract 2.4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.datastructures import QueryParams

from api.http.errors import echo
from domain.errors import Invalid

LARGEST_ID = 2**31 - 1
"""User ids are 32-bit; a larger number is an id that nobody has."""

ID_DIGITS = 20
"""More digits than this are larger than LARGEST_ID without reading them all (leading zeros are nobody's habit)."""


class Parameter(Protocol):
    """A query parameter of a list."""

    @property
    def name(self) -> str: ...

    def describe(self) -> dict[str, Any]:
        """The OpenAPI parameter object."""
        ...


LENIENT = "x-lenient"
"""Marks parameters of which a bad value is never an error (contract 2.3, 2.4)."""

_NO_NUL = r"^[^\u0000]*$"


def described(
    name: str, schema: Mapping[str, Any], description: str, *, example: Any = None, lenient: bool = False
) -> dict[str, Any]:
    """The OpenAPI parameter object of an optional query parameter."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": dict(schema),
        "description": description,
        **({} if example is None else {"example": example}),
        **({LENIENT: True} if lenient else {}),
    }


def _listed(value: str) -> str:
    """The pattern of comma-separated values, each of the given pattern, with blanks and empty ones between."""
    one = rf"[ \t]*(?:(?:{value})[ \t]*)?"
    return rf"^{one}(?:,{one})*$"


def _in_any_case(word: str) -> str:
    return "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


def text_of(query: QueryParams, name: str) -> str:
    """The last value of a repeated parameter, "" when absent. Raises Invalid for a NUL: nothing stored has one."""
    value = query.get(name, "")
    if "\x00" in value:
        raise Invalid(name, "invalid_input", "Null characters are not allowed.")
    return value


def _values(query: QueryParams, name: str) -> list[str]:
    return [part for piece in text_of(query, name).split(",") if (part := piece.strip())]


@dataclass(frozen=True)
class Csv:
    """Comma-separated values; empty means no filter. With `allowed`, any other value is 400."""

    name: str
    allowed: Sequence[str] = ()
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    description: str = "Comma-separated values."

    def read(self, query: QueryParams) -> tuple[str, ...]:
        """The values without repeats, aliases resolved, in the order given. Raises Invalid."""
        values = [self.aliases.get(value.lower(), value) for value in _values(query, self.name)]
        if self.allowed and (unknown := [value for value in values if value not in self.allowed]):
            raise Invalid(self.name, "invalid_input", _unknown(unknown, self.allowed))
        return tuple(dict.fromkeys(values))

    def describe(self) -> dict[str, Any]:
        if not self.allowed:
            return described(self.name, {"type": "string", "pattern": _NO_NUL}, self.description)
        words = [*self.allowed, *map(_in_any_case, self.aliases)]
        schema = {"type": "string", "pattern": _listed("|".join(words))}
        text = f"{self.description} Allowed: {', '.join(self.allowed)}."
        return described(self.name, schema, text, example=",".join(self.allowed[:2]))


def _unknown(unknown: Iterable[str], allowed: Iterable[str]) -> str:
    return f"Unknown value: {echo(', '.join(unknown))}. Allowed values: {', '.join(allowed)}."


@dataclass(frozen=True)
class UserIds:
    """Comma-separated integer ids; ids that nobody has match nothing."""

    name: str

    def read(self, query: QueryParams) -> tuple[int, ...]:
        """Raises Invalid for anything but digits. An id beyond the column's range becomes 0, which nobody has."""
        values = _values(query, self.name)
        if bad := [value for value in values if not (value.isascii() and value.isdigit())]:
            raise Invalid(self.name, "invalid_input", f"Not a user id: {echo(', '.join(bad))}. Give integer ids.")
        return tuple(dict.fromkeys(_id(value) for value in values))

    def describe(self) -> dict[str, Any]:
        schema = {"type": "string", "pattern": _listed("[0-9]+")}
        return described(self.name, schema, "Comma-separated integer user ids.", example="17")


def _id(digits: str) -> int:
    number = int(digits) if len(digits) <= ID_DIGITS else 0
    return number if number <= LARGEST_ID else 0


@dataclass(frozen=True)
class Boolean:
    """`true` or `false`, also capitalised or as 1 and 0; anything else is no filter (contract 2.4, 10 row 14)."""

    name: str
    description: str = "Only rows with this value."

    def read(self, query: QueryParams) -> bool | None:
        match query.get(self.name):
            case "true" | "True" | "1":
                return True
            case "false" | "False" | "0":
                return False
            case _:
                return None

    def describe(self) -> dict[str, Any]:
        text = f"{self.description} Anything but `true` and `false` (or `1` and `0`) is no filter."
        return described(self.name, {"type": "boolean"}, text, lenient=True)


@dataclass(frozen=True)
class Text:
    """Free text, trimmed; empty means no filter."""

    name: str
    description: str = "Free text."
    max_length: int | None = None

    def read(self, query: QueryParams) -> str:
        """Raises Invalid for a text over `max_length` characters or with a NUL."""
        value = text_of(query, self.name).strip()
        if self.max_length is not None and len(value) > self.max_length:
            message = f"Ensure this value has no more than {self.max_length} characters."
            raise Invalid(self.name, "invalid_input", message)
        return value

    def describe(self) -> dict[str, Any]:
        longest = {} if self.max_length is None else {"maxLength": self.max_length}
        return described(self.name, {"type": "string", "pattern": _NO_NUL, **longest}, self.description)


@dataclass(frozen=True)
class Moment:
    """An ISO-8601 time, UTC unless it says otherwise; empty means no filter."""

    name: str
    description: str

    def read(self, query: QueryParams) -> datetime | None:
        """Raises Invalid for anything that is not a time."""
        value = text_of(query, self.name).strip()
        try:
            return _utc(datetime.fromisoformat(value)) if value else None
        except (ValueError, OverflowError):
            raise Invalid(self.name, "invalid_input", f"Not an ISO-8601 time: {echo(value)}.") from None

    def describe(self) -> dict[str, Any]:
        schema = {"type": "string", "format": "date-time"}
        return described(self.name, schema, self.description, example="2026-06-18T00:00:00Z")


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@dataclass(frozen=True)
class Order:
    """One key, optionally with a leading minus. Ties are broken by id ascending, whatever the direction."""

    keys: Sequence[str]
    name: str = "order_by"

    def read(self, query: QueryParams) -> str | None:
        """The key as given (`-created_at`), None when absent. Raises Invalid for an unknown key or a list of keys."""
        given = text_of(query, self.name).strip()
        if given and given.removeprefix("-") not in self.keys:
            raise Invalid(self.name, "invalid_input", _unknown([given], self._all()))
        return given or None

    def describe(self) -> dict[str, Any]:
        names = [name for key in self.keys for name in (f"{key.upper()}_ASCENDING", f"{key.upper()}_DESCENDING")]
        schema = {"type": "string", "enum": self._all(), "x-enum-varnames": names}
        return described(self.name, schema, "One key; a leading minus descends. Ties are broken by id.")

    def _all(self) -> list[str]:
        return [key for name in self.keys for key in (name, f"-{name}")]


@dataclass(frozen=True)
class Number:
    """A whole number of which a bad value means the default; described here, read where it is used."""

    name: str
    description: str
    low: int = 0
    default: int | None = None
    high: int | None = None

    def describe(self) -> dict[str, Any]:
        known = {"minimum": self.low, "maximum": self.high, "default": self.default}
        schema = {"type": "integer", **{name: value for name, value in known.items() if value is not None}}
        return described(self.name, schema, self.description, lenient=True)


LIMIT = Number("limit", "Rows of a page. More than 1000 means 1000, a bad value 100.", 1, 100, 1000)
PAGING: tuple[Parameter, ...] = (LIMIT, Number("offset", "Rows to pass over. A bad value means 0.", 0, 0))
