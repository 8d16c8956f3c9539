"""An action: "and then" of a scanner. On a schedule it gathers observations, writes a report and delivers it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import JsonValue

from domain.alert_config import whole
from domain.errors import Invalid, NotFound
from domain.event import Aggregate, Event, FirstEvent, Stamp, stored
from domain.names import check_name
from domain.schedule import check_timezone, next_run
from domain.values import same_value

TRIGGER_TYPES = ("schedule", "threshold")
ALERT = "alert"
MODES = ("group_summary", "per_observation", ALERT)
CHOICES = {"trigger_type": TRIGGER_TYPES, "mode": MODES}
REFUSED = {"trigger_type": "threshold", "mode": "per_observation"}
"""Words that the contract knows and refuses (contract 8.1)."""

DEFAULT_TIMEZONE = "UTC"
CONFIGURED = (
    "scanner", "trigger_type", "mode", "trigger_config", "selection", "synthesis_config", "alert_config",
    "delivery_config",
)  # fmt: skip
"""What ActionReconfigured may change; objects and lists are replaced whole."""

WATCHED = frozenset({"scanner", "mode", "selection", "alert_config"})
"""Those of them that an alert watches by: a change of one arms it anew."""

Objects = dict[str, JsonValue]

# --- events ---------------------------------------------------------------------------------------------------------


@stored
class ActionCreated(FirstEvent):
    """`scanner` is the scanner's id; `next_run_at` None: it never runs by itself. An empty `alert_config`: no alert."""

    TOPIC = "ActionCreated"
    SCHEMA_VERSION = 2
    name: str
    scanner: UUID
    enabled: bool
    trigger_type: str
    mode: str
    trigger_config: Objects
    selection: Objects
    synthesis_config: Objects
    alert_config: Objects
    delivery_config: list[Objects]
    next_run_at: datetime | None
    created_by: int | None

    def apply(self, aggregate: Action) -> None:
        for name in ("name", "enabled", "next_run_at", "created_by", *CONFIGURED):
            setattr(aggregate, name, getattr(self, name))
        aggregate.schedule_version = self.originator_version
        aggregate.condition, aggregate.armed_at = self.originator_version, self.recorded_at


@stored
class ActionRenamed(Event):
    TOPIC = "ActionRenamed"
    name: str

    def apply(self, aggregate: Action) -> None:
        aggregate.name = self.name


@stored
class ActionReconfigured(Event):
    """`changes` holds the new values of those CONFIGURED fields that really changed, the scanner's id as text."""

    TOPIC = "ActionReconfigured"
    changes: Objects

    def apply(self, aggregate: Action) -> None:
        for name, value in self.changes.items():
            setattr(aggregate, name, UUID(str(value)) if name == "scanner" else value)
        if WATCHED & self.changes.keys():
            aggregate.condition, aggregate.armed_at = self.originator_version, self.recorded_at


@stored
class ActionScheduled(Event):
    """When it runs next, after its rule, its time zone or its trigger was changed. None: never by itself."""

    TOPIC = "ActionScheduled"
    next_run_at: datetime | None

    def apply(self, aggregate: Action) -> None:
        aggregate.next_run_at = self.next_run_at
        aggregate.schedule_version = self.originator_version


@stored
class ActionEnabled(Event):
    TOPIC = "ActionEnabled"

    def apply(self, aggregate: Action) -> None:
        aggregate.enabled = True


@stored
class ActionDisabled(Event):
    TOPIC = "ActionDisabled"

    def apply(self, aggregate: Action) -> None:
        aggregate.enabled = False


@stored
class ActionDeleted(Event):
    TOPIC = "ActionDeleted"

    def apply(self, aggregate: Action) -> None:
        aggregate.deleted = True


# --- state and decisions --------------------------------------------------------------------------------------------


@stored
class Action(Aggregate):
    """`next_run_at` is as of `schedule_version`, the last version that set it; runs move it in events of their own.

    Runs are bookkeeping: they must not make an action look edited, nor refuse an edit (engine 10, trap 32).
    """

    TOPIC = "action"

    def __init__(self) -> None:
        self.name = ""
        self.scanner = UUID(int=0)
        self.enabled = True
        self.trigger_type = "schedule"
        self.mode = "group_summary"
        self.trigger_config: Objects = {}
        self.selection: Objects = {}
        self.synthesis_config: Objects = {}
        self.alert_config: Objects = {}
        self.delivery_config: list[Objects] = []
        self.condition = 0
        """The version in which what an alert watches was last changed, and when."""
        self.armed_at: datetime | None = None
        self.next_run_at: datetime | None = None
        self.schedule_version = 0
        self.created_by: int | None = None
        self.deleted = False

    @classmethod
    def create(  # noqa: PLR0913 - the contract's fields
        cls,
        action_id: UUID,
        stamp: Stamp,
        *,
        name: str,
        scanner: UUID,
        enabled: bool = True,
        trigger_type: str = "schedule",
        mode: str = "group_summary",
        trigger_config: Objects | None = None,
        selection: Objects | None = None,
        synthesis_config: Objects | None = None,
        alert_config: Objects | None = None,
        delivery_config: list[Objects] | None = None,
    ) -> Self:
        """A new action. Raises Invalid for the first field that breaks a rule of contract 8.1, or of an alert's config.

        What is left out has the contract's default, which for the selection is a window of one day.
        """
        check_name(name)
        _check_words({"trigger_type": trigger_type, "mode": mode})
        schedule = _with_timezone(trigger_config or {})
        due = _due(schedule, stamp.recorded_at, stamp.recorded_at)
        alert = _alert(mode, alert_config or {})
        return cls._begin(
            ActionCreated,
            action_id,
            stamp,
            name=name,
            scanner=scanner,
            enabled=enabled,
            trigger_type=trigger_type,
            mode=mode,
            trigger_config=schedule,
            selection={"window_days": 1} if selection is None else selection,
            synthesis_config=synthesis_config or {},
            alert_config=alert,
            delivery_config=delivery_config or [],
            next_run_at=due,
            created_by=stamp.actor.user_id,
        )

    def edit(self, stamp: Stamp, changes: dict[str, Any]) -> None:
        """Applies the given fields of contract 8.1; records only what really changes, so a repeat records nothing.

        A changed rule, time zone or trigger is due next after now. Raises Invalid (with the field), also for a stored
        rule that is no longer one, and NotFound when the action is deleted.
        """
        self._check_alive()
        if "name" in changes:
            check_name(changes["name"])
        _check_words(changes)
        configured = self._changed(changes)
        rescheduled = "trigger_type" in configured or "trigger_config" in configured
        due = _due(configured.get("trigger_config", self.trigger_config), self.created_on, stamp.recorded_at)
        _alert(configured.get("mode", self.mode), configured.get("alert_config", self.alert_config))
        if "name" in changes and changes["name"] != self.name:
            self._record(ActionRenamed, stamp, name=changes["name"])
        if configured:
            self._record(ActionReconfigured, stamp, changes=configured)
        if rescheduled:
            self._record(ActionScheduled, stamp, next_run_at=due)
        if "enabled" in changes and changes["enabled"] != self.enabled:
            self._record(ActionEnabled if changes["enabled"] else ActionDisabled, stamp)

    def runs_at(self, due: datetime, now: datetime) -> bool:
        """Whether the schedule, which has come to the time `due`, wants a run of it now."""
        return due <= now and self.enabled and not self.deleted and "rrule" in self.trigger_config

    def due_after(self, moment: datetime) -> datetime | None:
        """When it is due first after a time, None for never. Raises Invalid for a stored rule that is none any more."""
        return _due(self.trigger_config, self.created_on, moment)

    def pass_over(self, stamp: Stamp, due: datetime) -> None:
        """Moves the schedule on from a time that has had its run: a clock that went back made it due again."""
        self._check_alive()
        self._record(ActionScheduled, stamp, next_run_at=self.due_after(max(stamp.recorded_at, due)))

    def delete(self, stamp: Stamp) -> None:
        """Ends the action for good. Raises NotFound when it is already deleted."""
        self._check_alive()
        self._record(ActionDeleted, stamp)

    @property
    def updated_at(self) -> datetime:
        return self.modified_on

    def snapshot(self) -> Objects:
        """What a run freezes: the keys of action_run.DEFINITION."""
        return {
            "name": self.name,
            "mode": self.mode,
            "timezone": str(self.trigger_config.get("timezone", DEFAULT_TIMEZONE)),
            "selection": self.selection,
            "synthesis_config": self.synthesis_config,
            "alert_config": self.alert_config,
            "condition": self.condition,
            "delivery_config": list(self.delivery_config),
        }

    def _changed(self, changes: dict[str, Any]) -> dict[str, Any]:
        given = {name: changes[name] for name in CONFIGURED if name in changes}
        if "trigger_config" in given:
            given["trigger_config"] = _with_timezone(given["trigger_config"])
        if "alert_config" in given:
            given["alert_config"] = whole(given["alert_config"])
        if "scanner" in given:
            given["scanner"] = str(given["scanner"])
        stands = {name: getattr(self, name) for name in given} | {"scanner": str(self.scanner)}
        return {name: value for name, value in given.items() if not same_value(value, stands[name])}

    def _check_alive(self) -> None:
        if self.deleted:
            raise NotFound


def _check_words(given: dict[str, Any]) -> None:
    for field, choices in CHOICES.items():
        value = given.get(field, choices[0])
        if value not in choices:
            raise Invalid(field, "invalid_choice", f'"{value}" is not a valid choice.')
        if value == REFUSED[field]:
            raise Invalid(field, "invalid_input", f'"{value}" is not supported yet.')


def _with_timezone(config: Objects) -> Objects:
    """A rule always has a time zone of its own, also after an edit that names none (contract 10, row 10)."""
    return {**config, "timezone": config.get("timezone", DEFAULT_TIMEZONE)} if "rrule" in config else config


def _alert(mode: str, config: Objects) -> Objects:
    """The config as it is stored. Only an alert needs one; what another mode has is kept for when it becomes one."""
    if mode == ALERT and not config:
        raise Invalid("alert_config", "required", "This field is required.")
    return whole(config)


def _due(config: Objects, start: datetime, now: datetime) -> datetime | None:
    timezone = str(config.get("timezone", DEFAULT_TIMEZONE))
    if "rrule" not in config:
        check_timezone(timezone)
        return None
    return next_run(str(config["rrule"]), timezone, start, now)
