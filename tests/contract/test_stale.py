"""Architecture 6: when the read side is late, a write answers success from its own state and says so."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, served

STALE = "replay-vision-stale"


@pytest.fixture(scope="module")
def late(site: Site) -> Iterator[httpx.Client]:
    """The same site, whose read side never passes a write in time."""
    services = replace(site.services, wait=lambda _position, _names: False)
    with served(services, Authorization=f"Bearer {site.key()}") as client:
        yield client


def test_every_write_succeeds_with_its_own_state(site: Site, late: httpx.Client) -> None:
    base = f"/api/environments/{site.environment_id}/vision/scanners/"
    made = late.post(base, json={**MONITOR, "name": str(uuid4()), "query": {"operand": "OR"}, "sampling_rate": 0.25})
    assert (made.status_code, made.headers[STALE]) == (201, "true")
    site.standing()
    current = site.client().get(f"scanners/{made.json()['id']}/")
    assert current.json() == made.json()
    assert list(current.json()) == list(made.json())
    assert STALE not in current.headers
    address = f"{base}{made.json()['id']}/"
    edited = late.patch(address, json={"sampling_rate": 0.5})
    assert (edited.status_code, edited.headers[STALE]) == (200, "true")
    assert (edited.json()["sampling_rate"], edited.json()["scanner_version"]) == (0.5, 2)
    observed = late.post(f"{address}observe/", json={"session_id": "late"})
    assert (observed.status_code, observed.headers[STALE]) == (202, "true")
    gone = late.delete(address)
    assert (gone.status_code, gone.headers[STALE]) == (204, "true")


def test_a_change_of_nothing_has_nothing_to_wait_for(site: Site, late: httpx.Client) -> None:
    made = late.post(
        f"/api/environments/{site.environment_id}/vision/scanners/", json={**MONITOR, "name": str(uuid4())}
    ).json()
    site.standing()
    same = late.patch(f"/api/environments/{site.environment_id}/vision/scanners/{made['id']}/", json={"enabled": True})
    assert STALE not in same.headers
    assert same.json() == made
