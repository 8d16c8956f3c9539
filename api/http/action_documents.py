"""The shapes of answers about actions (contract 8.1)."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, JsonValue

from api.http.documents import Address, Document, UserDocument


def _without_nulls(schema: dict[str, Any]) -> None:
    """Keys that were not saved are left out of answers; they are never null."""
    for name, described in schema["properties"].items():
        kinds = [kind for kind in described.pop("anyOf", []) if kind != {"type": "null"}]
        schema["properties"][name] = {**(kinds[0] if kinds else {}), **described}
        schema["properties"][name].pop("default", None)
    schema.pop("required", None)


class Saved(Document):
    """Base of objects that hold just what was saved."""

    model_config = ConfigDict(json_schema_extra=_without_nulls, use_attribute_docstrings=True)


class TriggerConfig(Saved):
    """When a report is made; without a rule never by itself."""

    rrule: str | None = None
    """An iCalendar recurrence rule. It begins when the action is created."""
    timezone: str | None = None
    """The IANA zone in whose local time the rule is meant."""


class Selection(Saved):
    """Which observations a report is about. Without `window_days`: since the last completed run."""

    scanner_type: str | None = None
    scanner_ids: list[str] | None = None
    """The action's own scanner when left out."""
    verdict: str | None = None
    tags: list[str] | None = None
    """Any of these."""
    min_score: float | None = None
    max_score: float | None = None
    status: str | None = None
    window_days: int | None = None


class SynthesisConfig(Saved):
    """How a report is written."""

    prompt_guide: str | None = None


class AlertConfig(Saved):
    """What an alert watches; empty for an action that is none and never was."""

    metric: Literal["count", "verdict_share", "tag_share", "avg_score"] | None = None
    verdict: Literal["yes", "no", "inconclusive"] | None = None
    """Of `verdict_share`: whose share of the verdicts."""
    tag: str | None = None
    """Of `tag_share`: whose share of the tagged observations, of either kind of tags."""
    threshold: float | None = None
    direction: Literal["above", "below"] | None = None
    window_days: Literal[1, 3, 7, 14, 30] | None = None
    frequency: Literal["on_breach", "every_match"] | None = None
    cooldown_minutes: int | None = None


class AlertStateDocument(Document):
    """How an alert stands."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    state: Literal["clear", "firing"]
    since: datetime
    last_value: float | None
    """Of the last run. Null: none has measured yet, or there was nothing to make an average or a share of."""


class SlackTarget(Document):
    """A channel, by an integration of the environment."""

    type: Literal["slack"]
    integration_id: int
    channel: str
    """A name, an id, or an id and a name with a bar between."""


class WebhookTarget(Document):
    """An address of the caller's own."""

    type: Literal["webhook"]
    url: Address


class EmailTarget(Document):
    """1 to 20 addresses."""

    type: Literal["email"]
    to: list[str]


class ActionDocument(Document):
    """A report about a scanner's observations, on a schedule (contract 8.1)."""

    id: UUID
    name: str
    scanner: UUID
    enabled: bool
    trigger_type: Literal["schedule", "threshold"]
    mode: Literal["group_summary", "per_observation", "alert"]
    trigger_config: TriggerConfig
    selection: Selection
    synthesis_config: SynthesisConfig
    alert_config: AlertConfig
    delivery_config: list[SlackTarget | WebhookTarget | EmailTarget]
    next_run_at: datetime | None
    """Null: never by itself."""
    last_run_at: datetime | None
    alert_state: AlertStateDocument | None
    """Null for an action that is no alert."""
    hog_flow_id: JsonValue
    """Always null."""
    created_at: datetime
    created_by: UserDocument | None
    updated_at: datetime
