"""Writing organizations, environments, users and API keys."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from pydantic import JsonValue

from commands.context import Context, decide_again
from commands.store.application import Store
from commands.store.guards import Guard, claim, grant_quota, require, set_quota
from commands.store.private_text import private_text
from commands.store.recorder import Refused
from domain.accounts import EVERY_SCOPE, ApiKey, Environment, Organization, User
from domain.errors import Conflict, Invalid, NotFound
from domain.event import Stamp
from domain.ids import environment_stream

KEY_PREFIX = "phx_"
TOKEN_PREFIX = "phc_"  # noqa: S105 - how a token begins, not a token
SHOWN = 12
"""First characters of a key that lists and revocation know it by (operator interface)."""

FIRST_NUMBER = 1
"""Environment and user number of the set-up; the sequences start behind it."""

_ORGANIZATION = "organization"
_EMAIL = "user_email"
_KEY = "api_key"
_SET_UP = "set_up"


@dataclass(frozen=True, slots=True)
class CreatedOrganization:
    id: UUID
    name: str
    monthly_quota: int | None
    position: int | None


@dataclass(frozen=True, slots=True)
class CreatedEnvironment:
    id: int
    name: str
    project_token: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Defined:
    """What an environment has defined from now on. `position` is None when it had before."""

    value: list[dict[str, JsonValue]]
    position: int | None


@dataclass(frozen=True, slots=True)
class CreatedUser:
    id: int
    email: str
    position: int | None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """`key` is shown once; only its keyed hash is stored."""

    key: str
    prefix: str
    position: int | None


@dataclass(frozen=True, slots=True)
class FirstAccounts:
    """What the set-up of an empty database creates; the caller has written it down before (credentials.json)."""

    organization_id: UUID
    project_token: str
    api_key: str
    email: str
    organization_name: str = "Default organization"
    environment_name: str = "Default environment"


def hash_key(secret: bytes, key: str) -> str:
    """Keyed hash of an API key: what is stored and what a presented key is looked up by."""
    return hmac.new(secret, key.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


class Accounts:
    """Command service of administration. Contexts carry no tenant."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._secret = secret

    def set_up(self, context: Context, first: FirstAccounts) -> int | None:
        """Sets up an empty database in one append: organization, environment 1, user 1 and a key with every scope.

        Raises Conflict when it is set up already.
        """
        organization = Organization.create(
            first.organization_id, context.stamp(), name=first.organization_name, monthly_quota=None
        )
        environment = Environment.create(
            FIRST_NUMBER,
            _stamp(context, organization.id, FIRST_NUMBER),
            name=first.environment_name,
            timezone="UTC",
            project_token=first.project_token,
        )
        profile, row = private_text(
            None, first.email.lower(), {"email": first.email, "first_name": "Admin", "last_name": ""}
        )
        user = User.create(FIRST_NUMBER, _stamp(context, organization.id), profile=profile)
        key = self._issued(context, user, first.api_key, "first key", [EVERY_SCOPE])
        guards = [
            claim(_SET_UP, "once", organization.id),
            claim(_ORGANIZATION, str(organization.id), organization.id),
            claim(_EMAIL, email_key(first.email), user.id),
            claim(_KEY, key.prefix, key.id),
            row,
        ]
        try:
            return self._store.save(organization, environment, user, key, guards=guards)
        except Refused as refused:
            message = "This database is already set up."
            raise Conflict(message) from refused

    @property
    def set_up_organization(self) -> UUID | None:
        """The organization that the set-up made; None while the database is empty."""
        return self._store.owner(_SET_UP, "once")

    @property
    def is_set_up(self) -> bool:
        return self.set_up_organization is not None

    def create_organization(self, context: Context, name: str, monthly_quota: int | None) -> CreatedOrganization:
        """Raises Invalid. `monthly_quota` None means the configured default."""
        organization = Organization.create(uuid4(), context.stamp(), name=name, monthly_quota=monthly_quota)
        guards = [
            claim(_ORGANIZATION, str(organization.id), organization.id),
            set_quota(organization.id, monthly_quota),
        ]
        position = self._store.save(organization, guards=guards)
        return CreatedOrganization(organization.id, name, monthly_quota, position)

    def set_quota(self, context: Context, organization_id: UUID, monthly_quota: int) -> CreatedOrganization:
        """Raises NotFound, Invalid."""

        def attempt() -> CreatedOrganization:
            organization = self._store.load(Organization, organization_id)
            organization.set_quota(context.stamp(), monthly_quota)
            position = self._store.save(organization, guards=[set_quota(organization_id, monthly_quota)])
            return CreatedOrganization(organization_id, organization.name, monthly_quota, position)

        return decide_again(organization_id, attempt)

    def grant_quota(self, context: Context, organization_id: UUID, amount: int, expires_at: datetime) -> int | None:
        """Adds a bonus until it expires. Returns the position. Raises NotFound, Invalid."""

        def attempt() -> int | None:
            organization = self._store.load(Organization, organization_id)
            organization.grant(context.stamp(), amount, expires_at)
            return self._store.save(organization, guards=[grant_quota(organization_id, amount, expires_at)])

        return decide_again(organization_id, attempt)

    def create_environment(
        self, context: Context, organization_id: UUID, name: str, timezone: str = "UTC"
    ) -> CreatedEnvironment:
        """Raises NotFound for an unknown organization, Invalid."""
        number = self._store.next_number("environment_number")
        stamp = _stamp(context, organization_id, number)
        environment = Environment.create(number, stamp, name=name, timezone=timezone, project_token=new_token())
        position = self._save_in(organization_id, environment)
        return CreatedEnvironment(number, name, environment.project_token, position)

    def rotate_token(self, context: Context, environment_id: int) -> CreatedEnvironment:
        """A new project token; the old one stops at once. Raises NotFound."""

        def attempt() -> CreatedEnvironment:
            environment = self._store.load(Environment, environment_stream(environment_id))
            environment.rotate_token(_stamp(context, environment.organization_id, environment_id), new_token())
            position = self._store.save(environment)
            return CreatedEnvironment(environment_id, environment.name, environment.project_token, position)

        return decide_again(environment_stream(environment_id), attempt)

    def set_retention(self, context: Context, environment_id: int, days: int | None) -> int | None:
        """How long the environment's sessions are kept; None for the default. Returns the position.

        Raises NotFound, Invalid.
        """

        def attempt() -> int | None:
            environment = self._store.load(Environment, environment_stream(environment_id))
            environment.set_retention(_stamp(context, environment.organization_id, environment_id), days)
            return self._store.save(environment)

        return decide_again(environment_stream(environment_id), attempt)

    def set_test_accounts(self, context: Context, environment_id: int, filters: object) -> Defined:
        """Filters that all hold for sessions that are no tests. Raises NotFound, Invalid on `test_accounts`."""

        def attempt() -> Defined:
            environment = self._store.load(Environment, environment_stream(environment_id))
            environment.set_test_accounts(_stamp(context, environment.organization_id, environment_id), filters)
            return Defined(environment.test_accounts, self._store.save(environment))

        return decide_again(environment_stream(environment_id), attempt)

    def define_actions(self, context: Context, environment_id: int, actions: object) -> Defined:
        """What queries' `actions` mean, all at once. Raises NotFound, Invalid on `actions`."""

        def attempt() -> Defined:
            environment = self._store.load(Environment, environment_stream(environment_id))
            environment.define_actions(_stamp(context, environment.organization_id, environment_id), actions)
            return Defined(environment.actions, self._store.save(environment))

        return decide_again(environment_stream(environment_id), attempt)

    def create_user(
        self, context: Context, organization_id: UUID, email: str, first_name: str = "", last_name: str = ""
    ) -> CreatedUser:
        """Raises Invalid on `email` when it is no address or taken; NotFound for an unknown organization."""
        email = email.strip()
        _check_email(email)
        number = self._store.next_number("user_number")
        profile, row = private_text(
            None, email.lower(), {"email": email, "first_name": first_name, "last_name": last_name}
        )
        user = User.create(number, _stamp(context, organization_id), profile=profile)
        try:
            position = self._save_in(organization_id, user, [claim(_EMAIL, email_key(email), user.id), row])
        except Refused as refused:
            if refused.refusal == f"taken:{_EMAIL}":
                raise Invalid("email", "invalid_input", "A user with this e-mail address already exists.") from refused
            raise
        return CreatedUser(number, email, position)

    def issue_key(
        self,
        context: Context,
        email: str,
        label: str,
        scopes: Sequence[str],
        environment_ids: Sequence[int] = (),
        expires_at: datetime | None = None,
    ) -> IssuedKey:
        """A new API key of a user. Raises NotFound for an unknown user or environment, Invalid."""
        user_stream_id = self._store.owner(_EMAIL, email_key(email))
        if user_stream_id is None:
            message = f"There is no user {email}."
            raise NotFound(message)
        user = self._store.load(User, user_stream_id)
        for environment_id in environment_ids:
            self._check_environment(environment_id, user)
        key = new_key()
        issued = self._issued(context, user, key, label, scopes, environment_ids=environment_ids, expires_at=expires_at)
        position = self._store.save(issued, guards=[claim(_KEY, issued.prefix, issued.id)])
        return IssuedKey(key, issued.prefix, position)

    def revoke_key(self, context: Context, prefix: str) -> int | None:
        """Raises NotFound for an unknown prefix, Conflict when it is revoked already."""
        key_id = self._store.owner(_KEY, prefix)
        if key_id is None:
            message = f"There is no key {prefix}."
            raise NotFound(message)

        def attempt() -> int | None:
            key = self._store.load(ApiKey, key_id)
            key.revoke(_stamp(context, key.organization_id))
            return self._store.save(key)

        return decide_again(key_id, attempt)

    def _issued(
        self,
        context: Context,
        user: User,
        key: str,
        label: str,
        scopes: Sequence[str],
        *,
        environment_ids: Sequence[int] = (),
        expires_at: datetime | None = None,
    ) -> ApiKey:
        return ApiKey.issue(
            uuid4(),
            _stamp(context, user.organization_id),
            user_id=user.user_id,
            label=label,
            prefix=key[:SHOWN],
            key_hash=hash_key(self._secret, key),
            scopes=list(dict.fromkeys(scopes)),
            environment_ids=sorted(set(environment_ids)),
            expires_at=expires_at,
        )

    def _check_environment(self, environment_id: int, user: User) -> None:
        environment = self._store.load(Environment, environment_stream(environment_id))
        if environment.organization_id != user.organization_id:
            message = f"Environment {environment_id} does not belong to the user's organization."
            raise NotFound(message)

    def _save_in(
        self, organization_id: UUID, aggregate: Environment | User, guards: Sequence[Guard] = ()
    ) -> int | None:
        try:
            return self._store.save(aggregate, guards=[require(_ORGANIZATION, str(organization_id)), *guards])
        except Refused as refused:
            if refused.refusal == f"missing:{_ORGANIZATION}":
                message = f"There is no organization {organization_id}."
                raise NotFound(message) from refused
            raise


def _stamp(context: Context, organization_id: UUID | None, environment_id: int | None = None) -> Stamp:
    """The caller's stamp, placed in the organization (and environment) that the command works on."""
    return replace(context.stamp(), organization_id=organization_id, environment_id=environment_id)


def new_key() -> str:
    """A personal API key: 256 random bits behind a prefix that secret scanners can recognize."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def new_token() -> str:
    """A project token; public by nature."""
    return TOKEN_PREFIX + secrets.token_urlsafe(24)


def email_key(email: str) -> str:
    """The guard row holds a digest: e-mail addresses live in private text only."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def _check_email(email: str) -> None:
    name, _, host = email.partition("@")
    if not name or "." not in host or len(email) > 254 or any(c.isspace() for c in email):  # noqa: PLR2004
        raise Invalid("email", "invalid_input", "Enter a valid email address.")
