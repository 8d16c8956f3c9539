"""Organizations, their environments, users and API keys."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import JsonValue

from domain.definitions import check_actions, check_test_accounts
from domain.errors import Conflict, Invalid
from domain.event import Aggregate, Event, FirstEvent, Stamp, TextRef, stored
from domain.ids import environment_stream, user_stream
from domain.values import same_value

SCOPES = (
    "replay_scanner:read", "replay_scanner:write", "session_recording:read", "session_recording:write",
    "vision_action:read", "vision_action:write", "activity_log:read",
)  # fmt: skip
EVERY_SCOPE = "*"

LONGEST_RETENTION_DAYS = 3_650

_NOT_TEXT = ("Cc", "Cs")
"""Unicode categories that no name may hold: terminals obey the first, and the second cannot be stored."""


def satisfies(held: frozenset[str], needed: str) -> bool:
    """`*` grants everything; `x:write` satisfies a need for `x:read`, never the reverse (contract 2.1)."""
    resource, _, access = needed.partition(":")
    return EVERY_SCOPE in held or needed in held or (access == "read" and f"{resource}:write" in held)


# --- organization ---------------------------------------------------------------------------------------------------


@stored
class OrganizationCreated(FirstEvent):
    """`monthly_quota` None means the configured default."""

    TOPIC = "OrganizationCreated"
    name: str
    monthly_quota: int | None

    def apply(self, aggregate: Organization) -> None:
        aggregate.name = self.name
        aggregate.monthly_quota = self.monthly_quota


@stored
class QuotaSet(Event):
    TOPIC = "QuotaSet"
    monthly_quota: int

    def apply(self, aggregate: Organization) -> None:
        aggregate.monthly_quota = self.monthly_quota


@stored
class QuotaGranted(Event):
    TOPIC = "QuotaGranted"
    amount: int
    expires_at: datetime

    def apply(self, aggregate: Organization) -> None:
        aggregate.grants.append((self.amount, self.expires_at))


@stored
class Organization(Aggregate):
    TOPIC = "organization"

    def __init__(self) -> None:
        self.name = ""
        self.monthly_quota: int | None = None
        self.grants: list[tuple[int, datetime]] = []

    @classmethod
    def create(cls, organization_id: UUID, stamp: Stamp, *, name: str, monthly_quota: int | None) -> Self:
        _check_label("name", name)
        if monthly_quota is not None:
            _check_amount("monthly_quota", monthly_quota, 0)
        return cls._begin(OrganizationCreated, organization_id, stamp, name=name, monthly_quota=monthly_quota)

    def set_quota(self, stamp: Stamp, monthly_quota: int) -> None:
        """A limit below present use is allowed: it stops further work and undoes none."""
        _check_amount("monthly_quota", monthly_quota, 0)
        if monthly_quota != self.monthly_quota:
            self._record(QuotaSet, stamp, monthly_quota=monthly_quota)

    def grant(self, stamp: Stamp, amount: int, expires_at: datetime) -> None:
        """A bonus that adds to the monthly quota until it expires."""
        _check_amount("amount", amount, 1)
        if expires_at <= stamp.recorded_at:
            raise Invalid("expires", "invalid_input", "A grant must expire in the future.")
        self._record(QuotaGranted, stamp, amount=amount, expires_at=expires_at)


# --- environment ----------------------------------------------------------------------------------------------------


@stored
class EnvironmentCreated(FirstEvent):
    """A project token is public by nature: it only lets browsers send recordings in."""

    TOPIC = "EnvironmentCreated"
    name: str
    timezone: str
    project_token: str

    def apply(self, aggregate: Environment) -> None:
        aggregate.name = self.name
        aggregate.timezone = self.timezone
        aggregate.project_token = self.project_token


@stored
class ProjectTokenRotated(Event):
    TOPIC = "ProjectTokenRotated"
    project_token: str

    def apply(self, aggregate: Environment) -> None:
        aggregate.project_token = self.project_token


@stored
class RetentionSet(Event):
    """`retention_days` None means the installation's default."""

    TOPIC = "RetentionSet"
    retention_days: int | None

    def apply(self, aggregate: Environment) -> None:
        aggregate.retention_days = self.retention_days


@stored
class EnvironmentTestAccountsSet(Event):
    """Property filters (contract 3.3) that all hold for sessions that are no tests; none: every session is real."""

    TOPIC = "EnvironmentTestAccountsSet"
    filters: list[dict[str, JsonValue]]

    def apply(self, aggregate: Environment) -> None:
        aggregate.test_accounts = self.filters


@stored
class EnvironmentActionsDefined(Event):
    """What the `actions` of recording filters mean, all of them: events of a site under a name (definitions.py)."""

    TOPIC = "EnvironmentActionsDefined"
    actions: list[dict[str, JsonValue]]

    def apply(self, aggregate: Environment) -> None:
        aggregate.actions = self.actions


@stored
class Environment(Aggregate):
    TOPIC = "environment"

    def __init__(self) -> None:
        self.retention_days: int | None = None
        self.name = ""
        self.timezone = "UTC"
        self.project_token = ""
        self.test_accounts: list[dict[str, JsonValue]] = []
        self.actions: list[dict[str, JsonValue]] = []

    @classmethod
    def create(cls, environment_id: int, stamp: Stamp, *, name: str, timezone: str, project_token: str) -> Self:
        _check_label("name", name)
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid("timezone", "invalid_input", f'"{timezone}" is not a known time zone.') from error
        return cls._begin(
            EnvironmentCreated,
            environment_stream(environment_id),
            stamp,
            name=name,
            timezone=timezone,
            project_token=project_token,
        )

    def rotate_token(self, stamp: Stamp, project_token: str) -> None:
        if project_token != self.project_token:
            self._record(ProjectTokenRotated, stamp, project_token=project_token)

    def set_retention(self, stamp: Stamp, days: int | None) -> None:
        """How many days after their last receipt sessions are kept; None for the installation's default.

        Raises Invalid for less than a day or more than LONGEST_RETENTION_DAYS.
        """
        if days is not None and not 1 <= days <= LONGEST_RETENTION_DAYS:
            message = f"A whole number from 1 to {LONGEST_RETENTION_DAYS} is needed, or default."
            raise Invalid("retention_days", "invalid_input", message)
        if days != self.retention_days:
            self._record(RetentionSet, stamp, retention_days=days)

    def set_test_accounts(self, stamp: Stamp, filters: object) -> None:
        """Raises Invalid on `test_accounts`."""
        checked = check_test_accounts(filters)
        if not same_value(checked, self.test_accounts):
            self._record(EnvironmentTestAccountsSet, stamp, filters=checked)

    def define_actions(self, stamp: Stamp, actions: object) -> None:
        """All actions at once. Raises Invalid on `actions`."""
        checked = check_actions(actions)
        if not same_value(checked, self.actions):
            self._record(EnvironmentActionsDefined, stamp, actions=checked)


# --- user -----------------------------------------------------------------------------------------------------------


@stored
class UserCreated(FirstEvent):
    """`profile` refers to e-mail, first and last name."""

    TOPIC = "UserCreated"
    user_id: int
    profile: TextRef

    def apply(self, aggregate: User) -> None:
        aggregate.user_id = self.user_id


@stored
class User(Aggregate):
    TOPIC = "user"

    def __init__(self) -> None:
        self.user_id = 0

    @classmethod
    def create(cls, user_id: int, stamp: Stamp, *, profile: TextRef) -> Self:
        return cls._begin(UserCreated, user_stream(user_id), stamp, user_id=user_id, profile=profile)


# --- API key --------------------------------------------------------------------------------------------------------


@stored
class ApiKeyIssued(FirstEvent):
    """`key_hash` is keyed with the server's secret; `environment_ids` empty means every environment of the user."""

    TOPIC = "ApiKeyIssued"
    user_id: int
    label: str
    prefix: str
    key_hash: str
    scopes: list[str]
    environment_ids: list[int]
    expires_at: datetime | None

    def apply(self, aggregate: ApiKey) -> None:
        aggregate.prefix = self.prefix
        aggregate.user_id = self.user_id


@stored
class ApiKeyRevoked(Event):
    TOPIC = "ApiKeyRevoked"

    def apply(self, aggregate: ApiKey) -> None:
        aggregate.revoked = True


@stored
class ApiKey(Aggregate):
    TOPIC = "api_key"

    def __init__(self) -> None:
        self.prefix = ""
        self.user_id = 0
        self.revoked = False

    @classmethod
    def issue(
        cls,
        key_id: UUID,
        stamp: Stamp,
        *,
        user_id: int,
        label: str,
        prefix: str,
        key_hash: str,
        scopes: list[str],
        environment_ids: list[int],
        expires_at: datetime | None,
    ) -> Self:
        """Raises Invalid for an unknown scope, a blank label, or an expiry in the past."""
        _check_label("label", label)
        for scope in scopes:
            if scope not in (*SCOPES, EVERY_SCOPE):
                raise Invalid("scope", "invalid_choice", f'"{scope}" is not a valid choice.')
        if expires_at is not None and expires_at <= stamp.recorded_at:
            raise Invalid("expires_at", "invalid_input", "A key must expire in the future.")
        return cls._begin(
            ApiKeyIssued,
            key_id,
            stamp,
            user_id=user_id,
            label=label,
            prefix=prefix,
            key_hash=key_hash,
            scopes=scopes,
            environment_ids=environment_ids,
            expires_at=expires_at,
        )

    def revoke(self, stamp: Stamp) -> None:
        if self.revoked:
            message = "This key is already revoked."
            raise Conflict(message)
        self._record(ApiKeyRevoked, stamp)


def _check_label(field: str, text: str) -> None:
    if not text.strip():
        raise Invalid(field, "blank", "This field may not be blank.")
    if any(unicodedata.category(character) in _NOT_TEXT for character in text):
        raise Invalid(field, "invalid_input", "Control characters and unpaired surrogates are not allowed.")
    if len(text) > 255:  # noqa: PLR2004 - the contract's length of names
        raise Invalid(field, "max_length", "Ensure this field has no more than 255 characters.")


def _check_amount(field: str, amount: int, smallest: int) -> None:
    if not smallest <= amount <= 10**9:
        raise Invalid(field, "invalid_input", f"A whole number from {smallest} to 1,000,000,000 is needed.")
