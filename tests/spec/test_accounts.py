"""Organizations, environments, users, keys: what may be recorded of them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.accounts import (
    ApiKey,
    ApiKeyIssued,
    ApiKeyRevoked,
    Environment,
    EnvironmentCreated,
    Organization,
    OrganizationCreated,
    ProjectTokenRotated,
    QuotaGranted,
    QuotaSet,
    RetentionSet,
    User,
    UserCreated,
    satisfies,
)
from domain.errors import Conflict, Invalid
from domain.event import TextRef
from domain.ids import environment_stream, user_stream
from tests.spec.given import NOW, STAMP, STREAM, fact, given

SOON = NOW + timedelta(days=1)
ORGANIZATION = fact(OrganizationCreated, name="Acme", monthly_quota=None)
KEY: dict[str, Any] = {
    "user_id": 17,
    "label": "ci",
    "prefix": "phx_abcdefgh",
    "key_hash": "0" * 64,
    "scopes": ["replay_scanner:read"],
    "environment_ids": [7],
    "expires_at": None,
}


def test_an_organization_begins_with_the_configured_quota_or_its_own() -> None:
    for quota in (None, 0, 5, 10**9):
        organization = (
            given(Organization)
            .when(lambda _, quota=quota: Organization.create(STREAM, STAMP, name="Acme", monthly_quota=quota))
            .then(fact(OrganizationCreated, name="Acme", monthly_quota=quota))
        )
        assert organization.monthly_quota == quota


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"name": " ", "monthly_quota": None}, "name", "blank"),
        ({"name": "x" * 256, "monthly_quota": None}, "name", "max_length"),
        ({"name": "Acme", "monthly_quota": -1}, "monthly_quota", "invalid_input"),
        ({"name": "Acme", "monthly_quota": 10**9 + 1}, "monthly_quota", "invalid_input"),
    ],
)
def test_an_organization_that_cannot_be(fields: dict[str, Any], field: str, code: str) -> None:
    given(Organization).when(lambda _: Organization.create(STREAM, STAMP, **fields)).then_refused(
        Invalid, field=field, code=code
    )


def test_the_quota_can_be_set_lowered_to_nothing_and_set_again_without_a_trace() -> None:
    quota = given(Organization, ORGANIZATION)
    quota.when(lambda o: o.set_quota(STAMP, 10)).then(fact(QuotaSet, monthly_quota=10))
    quota.when(lambda o: o.set_quota(STAMP, 0)).then(fact(QuotaSet, monthly_quota=0))
    quota.when(lambda o: o.set_quota(STAMP, -1)).then_refused(Invalid, field="monthly_quota")
    given(Organization, ORGANIZATION, fact(QuotaSet, monthly_quota=10)).when(
        lambda o: o.set_quota(STAMP, 10)
    ).then_nothing()


def test_each_grant_is_a_bonus_of_its_own() -> None:
    granted = fact(QuotaGranted, amount=5, expires_at=SOON)
    organization = given(Organization, ORGANIZATION, granted).when(lambda o: o.grant(STAMP, 5, SOON)).then(granted)
    assert organization.grants == [(5, SOON), (5, SOON)]


def test_a_grant_adds_something_and_expires_in_the_future() -> None:
    organization = given(Organization, ORGANIZATION)
    organization.when(lambda o: o.grant(STAMP, 0, SOON)).then_refused(Invalid, field="amount")
    organization.when(lambda o: o.grant(STAMP, 5, NOW)).then_refused(Invalid, field="expires")


def create_environment(timezone: str = "Europe/Madrid", name: str = "Web") -> Any:
    return given(Environment).when(
        lambda _: Environment.create(7, STAMP, name=name, timezone=timezone, project_token="phc_1")
    )


def test_an_environment_lives_in_the_stream_of_its_number() -> None:
    environment = create_environment().then(
        fact(EnvironmentCreated, name="Web", timezone="Europe/Madrid", project_token="phc_1")
    )
    assert environment.id == environment_stream(7)


@pytest.mark.parametrize("timezone", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "Europe", "\x00"])
def test_an_environment_needs_a_time_zone_that_exists(timezone: str) -> None:
    create_environment(timezone).then_refused(Invalid, field="timezone", code="invalid_input")


def test_an_environment_needs_a_name() -> None:
    create_environment(name="").then_refused(Invalid, field="name", code="blank")


def test_rotating_a_project_token() -> None:
    created = fact(EnvironmentCreated, name="Web", timezone="UTC", project_token="phc_1")
    environment = (
        given(Environment, created)
        .when(lambda e: e.rotate_token(STAMP, "phc_2"))
        .then(fact(ProjectTokenRotated, project_token="phc_2"))
    )
    assert environment.project_token == "phc_2"
    given(Environment, created).when(lambda e: e.rotate_token(STAMP, "phc_1")).then_nothing()


@pytest.mark.parametrize("days", [1, 90, 3_650])
def test_setting_the_retention_of_recordings(days: int) -> None:
    created = fact(EnvironmentCreated, name="Web", timezone="UTC", project_token="phc_1")
    changed = fact(RetentionSet, retention_days=days)
    environment = given(Environment, created).when(lambda e: e.set_retention(STAMP, days)).then(changed)
    assert environment.retention_days == days
    given(Environment, created, changed).when(lambda e: e.set_retention(STAMP, days)).then_nothing()
    back = fact(RetentionSet, retention_days=None)
    given(Environment, created, changed).when(lambda e: e.set_retention(STAMP, None)).then(back)
    given(Environment, created).when(lambda e: e.set_retention(STAMP, None)).then_nothing()


@pytest.mark.parametrize("days", [0, -1, 3_651])
def test_a_retention_is_one_day_to_ten_years(days: int) -> None:
    created = fact(EnvironmentCreated, name="Web", timezone="UTC", project_token="phc_1")
    refused = given(Environment, created).when(lambda e: e.set_retention(STAMP, days))
    refused.then_refused(Invalid, field="retention_days", code="invalid_input")


def test_a_user_is_known_by_number_and_by_a_reference_to_private_text() -> None:
    profile = TextRef(id=UUID(int=5), digest="0" * 64)
    user = (
        given(User)
        .when(lambda _: User.create(17, STAMP, profile=profile))
        .then(fact(UserCreated, user_id=17, profile=profile))
    )
    assert (user.id, user.user_id) == (user_stream(17), 17)


def issue(**fields: Any) -> Any:
    return given(ApiKey).when(lambda _: ApiKey.issue(STREAM, STAMP, **{**KEY, **fields}))


@pytest.mark.parametrize(
    "fields", [{}, {"scopes": ["*"]}, {"scopes": []}, {"expires_at": SOON}, {"environment_ids": []}]
)
def test_issuing_a_key(fields: dict[str, Any]) -> None:
    issue(**fields).then(fact(ApiKeyIssued, **{**KEY, **fields}))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"label": " "}, "label"),
        ({"scopes": ["replay_scanner:read", "everything"]}, "scope"),
        ({"expires_at": NOW}, "expires_at"),
    ],
)
def test_a_key_that_cannot_be(fields: dict[str, Any], field: str) -> None:
    issue(**fields).then_refused(Invalid, field=field)


def test_a_key_is_revoked_once() -> None:
    issued, revoked = fact(ApiKeyIssued, **KEY), fact(ApiKeyRevoked)
    assert given(ApiKey, issued).when(lambda k: k.revoke(STAMP)).then(revoked).revoked
    given(ApiKey, issued, revoked).when(lambda k: k.revoke(STAMP)).then_refused(Conflict)


@pytest.mark.parametrize(
    ("held", "needed", "enough"),
    [
        ({"*"}, "replay_scanner:write", True),
        ({"replay_scanner:read"}, "replay_scanner:read", True),
        ({"replay_scanner:write"}, "replay_scanner:read", True),
        ({"replay_scanner:read"}, "replay_scanner:write", False),
        ({"session_recording:write"}, "replay_scanner:read", False),
        ({"replay_scanner"}, "replay_scanner:read", False),
        (set(), "replay_scanner:read", False),
    ],
)
def test_scopes(held: set[str], needed: str, enough: bool) -> None:
    assert satisfies(frozenset(held), needed) is enough
