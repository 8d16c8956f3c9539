"""What the API should answer, worked out from the contract alone: the model of `test_stateful.py`.

Commands of the model give the outcome that the contract has for them, and change the model only when that outcome is a
success. Values that only the server knows (ids, times) are told to the model after it has predicted everything else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from commands.observations import Lease

Outcome = tuple[int, str | None, str | None]
"""Status, and code and attr of a refusal."""

TYPES = ("monitor", "classifier", "scorer", "summarizer")
VERSIONED = ("scanner_config", "query", "sampling_rate", "provider", "model", "emits_signals")
SETTABLE = ("name", "description", "scanner_type", *VERSIONED, "enabled")
IN_FLIGHT = ("pending", "running")

GONE: Outcome = (404, "not_found", None)
EXHAUSTED: Outcome = (402, "quota_limit_exceeded", None)
CAPPED: Outcome = (429, "throttled", None)


def invalid(attr: str | None, code: str = "invalid_input") -> Outcome:
    return 400, code, attr


@dataclass(frozen=True)
class User:
    id: int
    first_name: str
    last_name: str
    email: str

    @property
    def label(self) -> str:
        return self.first_name or self.last_name or self.email


@dataclass
class Observed:
    """An observation. `times` holds what the server told: created_at, started_at, completed_at."""

    scanner: "Scanned"
    session_id: str
    snapshot: dict[str, Any]
    user: User
    id: str = ""
    status: str = "pending"
    error_reason: str = ""
    run: int = 1
    subject: str | None = None
    output: dict[str, Any] = field(default_factory=dict[str, Any])
    lease: Lease | None = None
    times: dict[str, datetime | None] = field(default_factory=dict[str, datetime | None])
    learned: tuple[int, str] | None = None
    """Run and status at which `times` were told."""

    @property
    def in_flight(self) -> bool:
        return self.status in IN_FLIGHT

    def document(self) -> dict[str, Any]:
        """What the API shows, but for times and the prose of an answer."""
        scanner_id = self.scanner.id
        return {
            "id": self.id,
            "scanner_id": scanner_id,
            "session_id": self.session_id,
            "status": self.status,
            "error_reason": self.error_reason,
            "workflow_id": ""
            if self.status == "pending"
            else f"replay-vision-apply-scanner-{scanner_id}-{self.session_id}",
            "scanner_snapshot": self.snapshot,
            "triggered_by": "on_demand",
            "triggered_by_user": self.user.id,
            "distinct_id": self.subject,
            "scanner_result": self.output or None,
            "started": self.status != "pending",
            "completed": not self.in_flight,
        }


@dataclass
class Scanned:
    """A scanner of one environment. `times` holds created_at and updated_at as the server told them."""

    environment_id: int
    user: User
    fields: dict[str, Any]
    id: str = ""
    version: int = 1
    times: dict[str, datetime] = field(default_factory=dict[str, datetime])
    observations: dict[str, Observed] = field(default_factory=dict[str, Observed])

    @property
    def in_flight(self) -> int:
        return sum(one.in_flight for one in self.observations.values())

    def document(self) -> dict[str, Any]:
        """What the API shows, but for times and estimates."""
        return {"id": self.id, **self.fields, "scanner_version": self.version, "created_by": self.user.id}

    def snapshot(self) -> dict[str, Any]:
        names = ("name", "scanner_type", "model", "provider", "emits_signals", "scanner_config")
        return {"scanner_version": self.version, **{name: self.fields[name] for name in names}}


@dataclass
class Acting:
    """An action. `times` holds created_at and updated_at as the server told them, and next_run_at worked out of these.

    `etag` is what the server told of the last change.
    """

    environment_id: int
    user: User
    scanner: Scanned
    fields: dict[str, Any]
    id: str = ""
    etag: str = ""
    times: dict[str, datetime | None] = field(default_factory=dict[str, datetime | None])

    def document(self) -> dict[str, Any]:
        """What the API shows, but for times."""
        return {
            "id": self.id,
            **self.fields,
            "scanner": self.scanner.id,
            "trigger_type": "schedule",
            "mode": "group_summary",
            "synthesis_config": {},
            "alert_config": {},
            "delivery_config": [],
            "last_run_at": None,
            "alert_state": None,
            "hog_flow_id": None,
            "created_by": self.user.id,
        }

    def written(self, updated_at: datetime, etag: str, *, rescheduled: bool) -> None:
        """The rules of the model's steps are all for eight o'clock, in zones without summer time."""
        self.etag, self.times["updated_at"] = etag, updated_at
        self.times.setdefault("created_at", updated_at)
        config = self.fields["trigger_config"]
        if rescheduled and "rrule" not in config:
            self.times["next_run_at"] = None
        elif rescheduled:
            now = updated_at.astimezone(ZoneInfo(config["timezone"]))
            due = now.replace(hour=8, minute=0, second=0, microsecond=0)
            self.times["next_run_at"] = due if due > now else due + timedelta(days=1)


@dataclass
class Model:
    """One organization."""

    quota: int
    per_scanner: int
    per_environment: int
    scanners: dict[str, Scanned] = field(default_factory=dict[str, Scanned])
    buried: list[Scanned] = field(default_factory=list[Scanned])
    actions: dict[str, Acting] = field(default_factory=dict[str, Acting])
    buried_actions: list[Acting] = field(default_factory=list[Acting])
    kept_charges: int = 0
    """Succeeded observations of deleted scanners."""

    def within(self, environment_id: int) -> list[Scanned]:
        return [one for one in self.scanners.values() if one.environment_id == environment_id]

    def observations(self) -> Iterator[Observed]:
        for scanned in self.scanners.values():
            yield from scanned.observations.values()

    @property
    def used(self) -> int:
        """Contract 7: in flight and succeeded; failed and ineligible are free."""
        charged = sum(one.in_flight or one.status == "succeeded" for one in self.observations())
        return charged + self.kept_charges

    # --- scanners ---------------------------------------------------------------------------------------------------

    def _name_taken(self, environment_id: int, name: str, but: Scanned | None = None) -> bool:
        return any(one.fields["name"] == name for one in self.within(environment_id) if one is not but)

    def create(self, environment_id: int, user: User, fields: Mapping[str, Any]) -> tuple[Outcome, Scanned]:
        """The scanner of a 201 is not in the model until `born` says its id."""
        made = Scanned(environment_id, user, {**fields, "name": fields["name"].strip()})
        if not made.fields["name"]:
            return invalid("name", "blank"), made
        if self._name_taken(environment_id, made.fields["name"]):
            return invalid("name"), made
        return (201, None, None), made

    def born(self, made: Scanned, scanner_id: str) -> None:
        made.id = scanner_id
        self.scanners[scanner_id] = made

    def edit(self, scanned: Scanned, changes: Mapping[str, Any]) -> tuple[Outcome, bool]:
        """The outcome, and whether anything changed (contract 3.4)."""
        if scanned.id not in self.scanners:
            return GONE, False
        wanted = {**changes, **({"name": changes["name"].strip()} if "name" in changes else {})}
        if wanted.get("name") == "":
            return invalid("name", "blank"), False
        if wanted.get("scanner_type", scanned.fields["scanner_type"]) != scanned.fields["scanner_type"]:
            return invalid("scanner_type"), False
        if "name" in wanted and self._name_taken(scanned.environment_id, wanted["name"], scanned):
            return invalid("name"), False
        changed = {name for name, value in wanted.items() if scanned.fields[name] != value}
        scanned.fields.update(wanted)
        scanned.version += bool(changed.intersection(VERSIONED))
        return (200, None, None), bool(changed)

    def delete(self, scanned: Scanned) -> Outcome:
        if self.scanners.pop(scanned.id, None) is None:
            return GONE
        self.kept_charges += sum(one.status == "succeeded" for one in scanned.observations.values())
        self.buried.append(scanned)
        for acting in [one for one in self.actions.values() if one.scanner is scanned]:
            self.delete_action(acting)
        return 204, None, None

    # --- actions ----------------------------------------------------------------------------------------------------

    def acting_within(self, environment_id: int) -> list[Acting]:
        return [one for one in self.actions.values() if one.environment_id == environment_id]

    def _action_refused(self, acting: Acting, wanted: Mapping[str, Any]) -> Outcome | None:
        """Contract 8.1: fields in their order, and at last whether the name is free."""
        if wanted.get("name") == "":
            return invalid("name", "blank")
        scanned = wanted.get("scanner", acting.scanner)
        if scanned.id not in self.scanners or scanned.environment_id != acting.environment_id:
            return invalid("scanner", "does_not_exist")
        around = [one.fields["name"] for one in self.acting_within(acting.environment_id) if one is not acting]
        return invalid("name") if wanted.get("name") in around else None

    def create_action(self, acting: Acting) -> Outcome:
        """The action of a 201 is not in the model until `acts` says its id."""
        acting.fields |= _saved(acting.fields)
        return self._action_refused(acting, acting.fields) or (201, None, None)

    def acts(self, made: Acting, action_id: str) -> None:
        made.id = action_id
        self.actions[action_id] = made

    def edit_action(self, acting: Acting, changes: Mapping[str, Any]) -> tuple[Outcome, set[str]]:
        """The outcome, and what changed; `scanner` is one of the model."""
        if acting.id not in self.actions:
            return GONE, set()
        wanted = _saved(changes)
        if refused := self._action_refused(acting, wanted):
            return refused, set()
        stands = {**acting.fields, "scanner": acting.scanner}
        acting.scanner = wanted.get("scanner", acting.scanner)
        acting.fields.update({name: value for name, value in wanted.items() if name != "scanner"})
        return (200, None, None), {name for name, value in wanted.items() if stands[name] != value}

    def delete_action(self, acting: Acting) -> Outcome:
        if self.actions.pop(acting.id, None) is None:
            return GONE
        self.buried_actions.append(acting)
        return 204, None, None

    # --- observations -----------------------------------------------------------------------------------------------

    def _full(self, scanned: Scanned) -> bool:
        around = sum(one.in_flight for one in self.within(scanned.environment_id))
        return scanned.in_flight >= self.per_scanner or around >= self.per_environment

    def _admission(self, scanned: Scanned) -> Outcome | None:
        if self.used >= self.quota:
            return EXHAUSTED
        return CAPPED if self._full(scanned) else None

    def observe(self, scanned: Scanned, user: User, session_id: str) -> tuple[Outcome, Observed | None]:
        """Contract 5, in its order of checks."""
        if scanned.id not in self.scanners:
            return GONE, None
        if refused := self._admission(scanned):
            return refused, None
        session_id = session_id.strip()
        if not session_id:
            return invalid("session_id", "blank"), None
        known = scanned.observations.get(session_id)
        if known is None:
            return (202, None, None), self._request(scanned, user, session_id)
        return (202 if known.in_flight else 200, None, None), known

    def bulk(self, scanned: Scanned, user: User, session_ids: Sequence[str]) -> tuple[Outcome, list[tuple[str, str]]]:
        """The outcome and (session, scan_outcome) of each, in order (extensions, "Observing")."""
        if scanned.id not in self.scanners:
            return GONE, []
        told: list[tuple[str, str]] = []
        for session_id in session_ids:
            known = scanned.observations.get(session_id)
            if known is not None:
                told.append((session_id, "already_running" if known.in_flight else "already_scanned"))
            elif refused := self._admission(scanned):
                told.append((session_id, "skipped_quota" if refused is EXHAUSTED else "skipped_limit"))
            else:
                self._request(scanned, user, session_id)
                told.append((session_id, "started"))
        return (202, None, None), told

    def _request(self, scanned: Scanned, user: User, session_id: str) -> Observed:
        made = Observed(scanned, session_id, scanned.snapshot(), user)
        scanned.observations[session_id] = made
        return made

    def retry(self, observed: Observed, user: User) -> Outcome:
        if observed.scanner.id not in self.scanners:
            return GONE
        if observed.status == "succeeded":
            return invalid(None)
        if observed.in_flight:
            return 409, "conflict", None
        if refused := self._admission(observed.scanner):
            return refused
        observed.status, observed.error_reason, observed.user = "pending", "", user
        observed.run += 1
        observed.lease = None
        return 202, None, None

    def end(
        self, observed: Observed, status: str, error_reason: str = "", output: dict[str, Any] | None = None
    ) -> None:
        """A worker's report."""
        observed.status, observed.error_reason, observed.output = status, error_reason, output or {}
        observed.lease = None


def _saved(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of an action as they are kept: names without space around them, rules always with a zone."""
    saved = dict(fields)
    if "name" in saved:
        saved["name"] = saved["name"].strip()
    if "rrule" in saved.get("trigger_config", {}):
        saved["trigger_config"] = {"timezone": "UTC", **saved["trigger_config"]}
    return saved
