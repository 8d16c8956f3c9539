"""RecordingsQuery: the persisted filter that picks a scanner's candidate sessions (contract 3.3)."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from domain.errors import Invalid

STRIPPED = ("date_from", "date_to")
"""The schedule owns time: these are checked and then dropped before saving."""

QUERY_SIZE = 64_000
"""Characters of JSON; an oversized query is refused on save, as later versions of the reference product do."""

_Operator = Literal[
    "exact", "is_not", "icontains", "not_icontains", "regex", "not_regex", "gt", "gte", "lt", "lte", "is_set",
    "is_not_set", "is_date_exact", "is_date_before", "is_date_after", "between", "not_between", "min", "max", "in",
    "not_in", "is_cleaned_path_exact", "flag_evaluates_to",
]  # fmt: skip
_FilterType = Literal[
    "event", "event_metadata", "person", "element", "session", "cohort", "recording", "log_entry", "group", "feature",
    "flag", "hogql", "data_warehouse", "data_warehouse_person_property",
]  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PropertyFilter(BaseModel):
    """Free-form beyond these keys: filters of groups and flags carry keys of their own."""

    model_config = ConfigDict(extra="allow", strict=True)

    key: Annotated[str, Field(max_length=4000)]
    type: _FilterType
    operator: _Operator | None = None
    value: JsonValue = None
    label: str | None = None


class NoFilter(_Strict):
    """The empty object, which the reference product accepts as a filter that filters nothing."""


class LogEntryFilter(PropertyFilter):
    """A filter on what a page wrote to its console."""

    type: Literal["log_entry"]  # pyright: ignore[reportIncompatibleVariableOverride] - narrower, and never assigned


_Filters = Annotated[list[PropertyFilter | NoFilter], Field(max_length=200)]
_Entities = Annotated[list[dict[str, JsonValue]], Field(max_length=200)]


class RecordingsQuery(_Strict):
    """Which recorded sessions are candidates. Keys that a scan has no use for are kept as sent."""

    kind: Literal["RecordingsQuery"] = "RecordingsQuery"
    date_from: str | None = None
    date_to: str | None = None
    events: _Entities | None = None
    actions: _Entities | None = None
    properties: _Filters | None = None
    console_log_filters: Annotated[list[LogEntryFilter], Field(max_length=200)] | None = None
    having_predicates: _Filters | None = None
    comment_text: PropertyFilter | NoFilter | None = None
    filter_test_accounts: bool | None = None
    operand: Literal["AND", "OR"] | None = None
    session_ids: Annotated[list[str], Field(max_length=10_000)] | None = None
    distinct_ids: Annotated[list[str], Field(max_length=10_000)] | None = None
    person_uuid: str | None = None
    order: (
        Literal[
            "duration", "recording_duration", "inactive_seconds", "active_seconds", "start_time",
            "console_error_count", "click_count", "keypress_count", "mouse_activity_count", "activity_score",
            "recording_ttl",
        ]
        | None
    ) = None  # fmt: skip
    order_direction: Literal["ASC", "DESC"] | None = None
    limit: int | None = None
    offset: int | None = None
    after: str | None = None
    user_modified_filters: dict[str, JsonValue] | None = None
    modifiers: dict[str, JsonValue] | None = None
    response: dict[str, JsonValue] | None = None
    tags: dict[str, JsonValue] | None = None
    version: float | None = None


def check_query(query: object) -> dict[str, JsonValue]:
    """The query as it is stored: exactly as sent, less the date keys.

    Raises Invalid on field `query` with one fixed sentence: no path and no library text leaks (contract 3.3).
    """
    try:
        fits = isinstance(query, dict) and len(str(cast("object", query))) <= QUERY_SIZE
        RecordingsQuery.model_validate(query if fits else None)
    except (ValidationError, RecursionError) as error:
        raise Invalid("query", "invalid_input", "The recording filter is invalid.") from error
    stored = cast("dict[str, JsonValue]", query)
    return {key: value for key, value in stored.items() if key not in STRIPPED}
