"""Contract 1: how times and ids look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, observe, scanner, served


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.mark.rule("1/moments", "3.1/created-at", "3.1/last-swept", "3.4/watermark-start")
@pytest.mark.parametrize(
    ("now", "created", "swept"),
    [
        (datetime(2026, 6, 18, 9, 30, tzinfo=UTC), "2026-06-18T09:30:00Z", "2026-06-18T08:55:00Z"),
        (
            datetime(2026, 6, 18, 9, 30, 0, 123456, tzinfo=UTC),
            "2026-06-18T09:30:00.123456Z",
            "2026-06-18T08:55:00.123456Z",
        ),
        (
            datetime(2026, 1, 1, 1, 5, 0, 1000, tzinfo=timezone(timedelta(hours=2))),
            "2025-12-31T23:05:00.001000Z",
            "2025-12-31T22:30:00.001000Z",
        ),
    ],
)
def test_times_are_utc_with_microseconds_only_when_there_are_any(
    site: Site, now: datetime, created: str, swept: str
) -> None:
    path = f"/api/projects/{site.environment_id}/vision/scanners/"
    with served(replace(site.services, clock=lambda: now), Authorization=f"Bearer {site.key()}") as client:
        made = client.post(path, json={**MONITOR, "name": str(uuid4())}).json()
        shown = client.get(f"{path}{made['id']}/").json()
    assert (made["created_at"], made["updated_at"], made["last_swept_at"]) == (created, created, swept)
    assert shown == made


@pytest.mark.rule("1/ids-lower-case")
def test_ids_are_lower_case_however_they_were_asked_for(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    observation = observe(api, made, "s")
    assert made == made.lower()
    assert api.get(f"scanners/{made.upper()}/").json()["id"] == made
    row = api.get(f"scanners/{made.upper()}/observations/{observation.upper()}/").json()
    assert (row["id"], row["scanner_id"]) == (observation, made)
    asked = api.post(f"scanners/{made.upper()}/observe/", json={"session_id": "s"}).json()
    assert asked["workflow_id"] == f"replay-vision-apply-scanner-{made}-s"


@pytest.mark.rule("1/ids-integer", "2.5/vendor-null")
def test_ids_of_users_are_integers_and_the_vendors_keys_are_null(site: Site, api: httpx.Client) -> None:
    user: dict[str, Any] = scanner(api, str(uuid4()))["created_by"]
    assert user["id"] == site.user_id
    assert isinstance(user["id"], int)
    assert {key: user[key] for key in user if key not in ("id", "uuid")} == {
        "distinct_id": None,
        "first_name": "Rina",
        "last_name": "Oduya",
        "email": site.email,
        "is_email_verified": None,
        "hedgehog_config": None,
        "role_at_organization": None,
    }
    assert user["uuid"] == user["uuid"].lower()
