"""Bodies of actions (contract 8.1, extensions "Actions"): nested objects, and items that depend on their type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from api.http.fields import (
    NOT_BLANK,
    Body,
    Flag,
    choice,
    integer,
    number,
    one_of,
    problem,
    several,
    text,
    without_defaults,
)
from api.http.identifiers import reference
from domain.action import MODES, REFUSED, TRIGGER_TYPES
from domain.alert_config import (
    DIRECTIONS,
    FREQUENCIES,
    METRICS,
    MOST_COOLDOWN_MINUTES,
    NEEDED,
    SHARES,
    TAG_LENGTH,
    VERDICTS,
    WINDOW_DAYS,
    whole,
)
from domain.delivery import (
    ADDRESS_LENGTH,
    CHANNEL_LENGTH,
    MOST_ADDRESSES,
    MOST_TARGETS,
    URL_LENGTH,
    check_address,
    check_webhook_url,
)
from domain.errors import Invalid
from domain.names import NAME_LENGTH
from domain.schedule import RULE_LENGTH, check_timezone

WORD_LENGTH = 400
"""Characters of a word in a selection; what it says is not checked (contract 8.1)."""

MOST_WORDS = 100
GUIDE_LENGTH = 500
ZONE_LENGTH = 100
LARGEST_ID = 2**31 - 1
LARGEST_NUMBER = 2**63 - 1

ABSENT: Any = object()
"""The value of a field that an item of another type does not have."""


class TriggerBody(Body):
    """When a report is made (contract 8.1)."""

    model_config = ConfigDict(json_schema_extra=without_defaults, use_attribute_docstrings=True)

    rrule: Annotated[str, text(RULE_LENGTH)] = ""
    """One rule of RFC 5545 without DTSTART: HOURLY at most, INTERVAL 1 to 100,000, COUNT up to 10,000 and not together
    with UNTIL, at most 288 times a day."""
    timezone: Annotated[str, text(ZONE_LENGTH, blank=True, check=check_timezone)] = "UTC"


class SelectionBody(Body):
    """Which observations a report is about. Of the values only the types are checked (contract 8.1)."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    scanner_type: Annotated[str, text(WORD_LENGTH, blank=True)] = ""
    scanner_ids: Annotated[list[Annotated[str, text(WORD_LENGTH)]], several(MOST_WORDS, least=0)] = Field(default=[])
    verdict: Annotated[str, text(WORD_LENGTH, blank=True)] = ""
    tags: Annotated[list[Annotated[str, text(WORD_LENGTH)]], several(MOST_WORDS, least=0)] = Field(default=[])
    min_score: Annotated[float, number()] = 0.0
    max_score: Annotated[float, number()] = 0.0
    status: Annotated[str, text(WORD_LENGTH, blank=True)] = ""
    window_days: Annotated[int, integer(-LARGEST_ID, LARGEST_ID)] = 1


class SynthesisBody(Body):
    """How a report is written (contract 8.1)."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    prompt_guide: Annotated[str, text(GUIDE_LENGTH, blank=True)] = ""


@dataclass(frozen=True, slots=True)
class OnlyFor:
    """Metadata of a field of items of one kind: required there, dropped elsewhere. `by` must be declared before it."""

    kind: str
    by: str = "type"

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(self._check, handler(source))

    def _check(self, value: object, handler: Callable[[object], object], info: ValidationInfo) -> object:
        if info.data.get(self.by) != self.kind:
            return ABSENT
        if value is ABSENT:
            raise problem("required", "This field is required.")
        return handler(value)


def _absent() -> Any:
    return Field(default=ABSENT, validate_default=True)


_NEEDED: dict[str, dict[str, Any]] = {
    "slack": {
        "integration_id": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
        "channel": {"type": "string", "minLength": 1, "maxLength": CHANNEL_LENGTH, "pattern": NOT_BLANK},
    },
    "webhook": {"url": {"type": "string", "format": "uri", "maxLength": URL_LENGTH, "pattern": "^https?://"}},
    "email": {
        "to": {
            "type": "array",
            "items": {"type": "string", "format": "email", "maxLength": ADDRESS_LENGTH},
            "minItems": 1,
            "maxItems": MOST_ADDRESSES,
        }
    },
}


def _described(kind: str, needed: dict[str, Any]) -> dict[str, Any]:
    properties = {"type": {"type": "string", "const": kind}, **needed}
    return {"type": "object", "properties": properties, "required": list(properties)}


class TargetBody(Body):
    """Where a report goes: what an item must hold depends on its type."""

    type: Annotated[str, choice("slack", "webhook", "email")]
    integration_id: Annotated[int, integer(-LARGEST_NUMBER, LARGEST_NUMBER), OnlyFor("slack")] = _absent()
    channel: Annotated[str, text(CHANNEL_LENGTH), OnlyFor("slack")] = _absent()
    url: Annotated[str, text(URL_LENGTH, check=check_webhook_url), OnlyFor("webhook")] = _absent()
    to: Annotated[
        list[Annotated[str, text(ADDRESS_LENGTH, check=check_address)]], several(MOST_ADDRESSES), OnlyFor("email")
    ] = _absent()

    def given(self) -> dict[str, Any]:
        """The fields of its type."""
        return {name: value for name, value in super().given().items() if value is not ABSENT}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"oneOf": [_described(kind, needed) for kind, needed in _NEEDED.items()]}


_OF_SHARE: dict[str, dict[str, Any]] = {
    "verdict": {"type": "string", "enum": list(VERDICTS)},
    "tag": {"type": "string", "minLength": 1, "maxLength": TAG_LENGTH, "pattern": NOT_BLANK},
}


_OPTIONAL: dict[str, dict[str, Any]] = {
    "direction": {
        "type": "string",
        "enum": list(DIRECTIONS),
        "description": "The threshold itself counts as reached, from either side. `above` when left out.",
    },
    "window_days": {
        "type": "integer",
        "enum": list(WINDOW_DAYS),
        "description": "Days before the run that are measured, 1 when left out. With `every_match` a run measures "
        "what came since the one before.",
    },
    "frequency": {
        "type": "string",
        "enum": list(FREQUENCIES),
        "description": "`on_breach`, when left out: a message when the threshold is reached and one when it no longer "
        "is. `every_match`: a message for each run that finds it reached.",
    },
    "cooldown_minutes": {
        "type": "integer",
        "minimum": 0,
        "maximum": MOST_COOLDOWN_MINUTES,
        "description": "For so long after a message that it fires no other one is sent. 0 when left out.",
    },
}


def _watching(metric: str) -> dict[str, Any]:
    """An alert on one metric, in the words of the document."""
    shares = metric in SHARES
    limits = {**({} if metric == "avg_score" else {"minimum": 0}), **({"maximum": 1} if shares else {})}
    named = {NEEDED[metric]: _OF_SHARE[NEEDED[metric]]} if shares else {}
    required = {"metric": {"type": "string", "const": metric}, **named, "threshold": {"type": "number", **limits}}
    return {"type": "object", "properties": {**required, **_OPTIONAL}, "required": list(required)}


class AlertBody(Body):
    """What an alert watches. An empty one: nothing (extensions "Mode alert")."""

    metric: Annotated[str, choice(*METRICS)]
    verdict: Annotated[str, choice(*VERDICTS), OnlyFor("verdict_share", by="metric")] = _absent()
    tag: Annotated[str, text(TAG_LENGTH), OnlyFor("tag_share", by="metric")] = _absent()
    threshold: Annotated[float, number()]
    direction: Annotated[str, choice(*DIRECTIONS)] = "above"
    window_days: Annotated[int, one_of(*WINDOW_DAYS)] = 1
    frequency: Annotated[str, choice(*FREQUENCIES)] = "on_breach"
    cooldown_minutes: Annotated[int, integer(0, MOST_COOLDOWN_MINUTES)] = 0

    def given(self) -> dict[str, Any]:
        """The fields of its metric."""
        return {name: value for name, value in super().given().items() if value is not ABSENT}

    @model_validator(mode="wrap")
    @classmethod
    def _or_nothing(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return cls.model_construct(_fields_set=set()) if value == {} else handler(value)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        try:
            whole(self.given())
        except Invalid as error:
            raise problem(error.code, error.message, (error.field or "").removeprefix("alert_config__")) from None
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"oneOf": [*map(_watching, METRICS), {"type": "object", "maxProperties": 0}]}


def _refused_words(schema: dict[str, Any]) -> None:
    """They are named in prose; `choice` does not offer them."""
    for name, word in REFUSED.items():
        schema["properties"][name]["description"] = f"`{word}` is known, too, and refused."


def _new(schema: dict[str, Any]) -> None:
    _refused_words(schema)
    for name in ("trigger_config", "synthesis_config", "alert_config"):
        schema["properties"][name]["default"] = {}
    schema["properties"]["selection"]["default"] = {"window_days": 1}


def _edited(schema: dict[str, Any]) -> None:
    _refused_words(schema)
    without_defaults(schema)


class CreateAction(Body):
    """A new action (contract 8.1)."""

    model_config = ConfigDict(json_schema_extra=_new)

    name: Annotated[str, text(NAME_LENGTH)]
    scanner: Annotated[UUID, reference("scanner")]
    enabled: Flag = True
    trigger_type: Annotated[str, choice(*TRIGGER_TYPES, refused=REFUSED.values())] = "schedule"
    mode: Annotated[str, choice(*MODES, refused=REFUSED.values())] = "group_summary"
    trigger_config: TriggerBody = TriggerBody()
    selection: SelectionBody = SelectionBody()
    synthesis_config: SynthesisBody = SynthesisBody()
    alert_config: AlertBody = Field(default_factory=lambda: AlertBody.model_construct(_fields_set=set()))
    delivery_config: Annotated[list[TargetBody], several(MOST_TARGETS, least=0)] = Field(default=[])


class EditAction(CreateAction):
    """New values of some fields; each object and list is replaced as a whole."""

    model_config = ConfigDict(json_schema_extra=_edited)

    name: Annotated[str, text(NAME_LENGTH)] = ""
    scanner: Annotated[UUID, reference("scanner")] = UUID(int=0)
