"""The parameters of the list of recorded sessions (extensions "Sessions"; contract 3.3 for the conditions)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from starlette.datastructures import QueryParams

from api.http.body import decode
from api.http.errors import Refusal, echo
from api.http.filters import Boolean, Parameter, Text, described, text_of
from domain.errors import Invalid
from domain.recordings_query import check_query
from projections.queries.session_list import ORDERS

MOST_IDS = 1_000


@dataclass(frozen=True)
class Ids:
    """Ids, comma-separated or as a JSON list of texts; empty means no filter."""

    name: str
    description: str

    def read(self, query: QueryParams) -> list[str] | None:
        """The ids without repeats; None without a filter. Raises Invalid."""
        text = text_of(query, self.name).strip()
        if not text:
            return None
        found = _json(self.name, text) if text.startswith("[") else [part.strip() for part in text.split(",")]
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise Invalid(self.name, "invalid_input", "Expected ids, comma-separated or as a JSON list of texts.")
        ids = list(dict.fromkeys(str(one) for one in found if one and "\x00" not in str(one)))
        if len(ids) > MOST_IDS:
            raise Invalid(self.name, "invalid_input", f"At most {MOST_IDS} ids are taken.")
        return ids or None if not text.startswith("[") else ids

    def describe(self) -> dict[str, Any]:
        text = f"{self.description} Comma-separated, or a JSON list of texts; at most {MOST_IDS}."
        return described(self.name, {"type": "string", "pattern": r"^[^\u0000]*$"}, text)


@dataclass(frozen=True)
class Conditions:
    """One key of a RecordingsQuery, as the JSON text of its list."""

    name: str
    description: str

    def read(self, query: QueryParams) -> JsonValue:
        """The list; None without a filter. Raises Invalid for anything that a scanner's query would not take either."""
        text = text_of(query, self.name).strip()
        if not text:
            return None
        found = _json(self.name, text)
        try:
            check_query({self.name: found})
        except Invalid:
            raise Invalid(self.name, "invalid_input", "The recording filter is invalid.") from None
        return found

    def describe(self) -> dict[str, Any]:
        schema = {"type": "string", "contentMediaType": "application/json", "pattern": r"^[^\u0000]*$"}
        return described(self.name, schema, f"{self.description} JSON text, as in a scanner's `query`.")


@dataclass(frozen=True)
class Choice:
    """One of a few words, in any case; empty means the first."""

    name: str
    words: tuple[str, ...]
    description: str

    def read(self, query: QueryParams) -> str:
        """Raises Invalid for another word."""
        given = text_of(query, self.name).strip()
        found = next((word for word in self.words if word.lower() == given.lower()), None)
        if given and found is None:
            message = f"Unknown value: {echo(given)}. Allowed values: {', '.join(self.words)}."
            raise Invalid(self.name, "invalid_input", message)
        return found or self.words[0]

    def describe(self) -> dict[str, Any]:
        return described(self.name, {"type": "string", "enum": list(self.words)}, self.description)


def _json(name: str, text: str) -> Any:
    try:
        return decode(text.encode("utf-8", "replace"))
    except Refusal as refusal:
        raise Invalid(name, "invalid_input", refusal.detail) from None


SESSIONS = Ids("session_ids", "Only these sessions.")
VISITOR = Text("distinct_id", "Only sessions of this visitor.")
VISITORS = Ids("distinct_ids", "Only sessions of these visitors.")
ONGOING = Boolean("ongoing", "Whether data came within the last 5 minutes.")
SETTLED = Boolean("settled", "Whether the session is over, as far as is known.")
OPERAND = Choice("operand", ("AND", "OR"), "Whether all of the conditions must hold, or one of them.")
TEST_ACCOUNTS = Boolean("filter_test_accounts", "Whether sessions of the environment's test accounts are left out.")
PERSON = Text("person_uuid", "Only sessions of this person. Visitors that are named win over it.", 200)
CONDITIONS = (
    Conditions("events", "Analytics events that the session must have."),
    Conditions("actions", "Actions that the session must have."),
    Conditions("properties", "Properties of events, of the person, of the session, of elements."),
    Conditions("console_log_filters", "What pages wrote to the console."),
    Conditions("having_predicates", "Figures of the session, as its duration."),
)
ORDER = Choice("order", tuple(ORDERS), "What is sorted by. Ties are broken by id.")
DIRECTION = Choice("order_direction", ("DESC", "ASC"), "Of the order.")

PARAMETERS: tuple[Parameter, ...] = (
    SESSIONS,
    VISITOR,
    VISITORS,
    ONGOING,
    SETTLED,
    *CONDITIONS,
    OPERAND,
    TEST_ACCOUNTS,
    PERSON,
    ORDER,
    DIRECTION,
)


def recordings_query(query: QueryParams) -> Mapping[str, JsonValue]:
    """What a request asks for as a RecordingsQuery, `operand` first; empty without any condition. Raises Invalid."""
    visitor, visitors = VISITOR.read(query), VISITORS.read(query)
    if visitor:
        visitors = [visitor] if visitors is None or visitor in visitors else []
    found: dict[str, JsonValue] = {one.name: one.read(query) or None for one in CONDITIONS}
    found |= {
        "filter_test_accounts": TEST_ACCOUNTS.read(query) or None,
        "person_uuid": PERSON.read(query) or None,
        # An empty list is a filter that nothing passes.
        "session_ids": _list(SESSIONS.read(query)),
        "distinct_ids": _list(visitors),
    }
    given = {name: value for name, value in found.items() if value is not None}
    operand = OPERAND.read(query)
    return {"operand": operand, **given} if given else {}


def _list(ids: list[str] | None) -> JsonValue:
    return None if ids is None else [*ids]
