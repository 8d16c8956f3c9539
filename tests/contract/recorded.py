"""Recorded sessions as capture leaves them, put straight into its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from domain.tenant import Tenant
from tests.contract.site import Site

_INSERT = """
INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp, active_milliseconds,
    distinct_id, distinct_ids, first_received_at, last_received_at, last_arrived_at, settle_number, settled_at)
VALUES (%(environment)s, %(id)s, %(began)s, %(ended)s, %(active)s, %(who)s, %(ids)s, %(received)s, %(received)s,
    %(received)s, %(number)s, %(settled)s)
"""
_NUMBER = "UPDATE capture.settle_counter SET number = number + 1 RETURNING number"
_SETTLEMENT = "INSERT INTO capture.settlement (number, environment_id, session_id, settled_at) VALUES (%s, %s, %s, %s)"


@dataclass
class Place:
    """An environment of its own, so that counts are exact."""

    site: Site
    api: httpx.Client
    environment_id: int

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.environment_id, self.site.organization_id)

    def recorded(
        self,
        session_id: str,
        ago: timedelta = timedelta(hours=1),
        *,
        duration: float = 60,
        active: float = 30,
        distinct_ids: Sequence[str] = ("visitor",),
        received_ago: timedelta | None = None,
        settled: bool = False,
        now: datetime | None = None,
    ) -> int | None:
        """A session that began so long ago, and the settle number that it has if it is `settled`."""
        now = now or self.site.services.clock()
        began = round((now - ago).timestamp() * 1000)
        received = now - (ago if received_ago is None else received_ago)
        with self.site.services.pool.connection() as conn, conn.transaction():
            number = conn.execute(_NUMBER).fetchone()[0] if settled else None
            values: dict[str, Any] = {
                "environment": self.environment_id,
                "id": session_id,
                "began": began,
                "ended": began + round(duration * 1000),
                "active": round(active * 1000),
                "who": distinct_ids[0] if distinct_ids else None,
                "ids": list(distinct_ids),
                "received": received,
                "number": number,
                "settled": now if settled else None,
            }
            conn.execute(_INSERT, values)
            if settled:
                conn.execute(_SETTLEMENT, (number, self.environment_id, session_id, now))
        return number

    def taken_in(self, ago: timedelta) -> None:
        """A session came in so long ago; what retention removes is still counted there."""
        day = (self.site.services.clock() - ago).date()
        with self.site.services.pool.connection() as conn:
            conn.execute(
                "INSERT INTO capture.day (environment_id, day, sessions) VALUES (%s, %s, 1) ON CONFLICT DO NOTHING",
                (self.environment_id, day),
            )


def new_place(site: Site, name: str) -> Place:
    """A new environment of the site's organization."""
    made = site.accounts.create_environment(site.system, site.organization_id, name)
    site.caught_up(made.position)
    return Place(site, site.client(environment=made.id), made.id)


def estimate(place: Place, **body: Any) -> dict[str, Any]:
    response = place.api.post("scanners/estimate/", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer
