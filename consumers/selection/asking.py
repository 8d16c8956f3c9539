"""Requesting the sessions of a page: the same for a scanner's schedule and for a gap."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from commands.context import Context
from commands.observations import Observations
from consumers.selection.candidates import Page

QUOTA_EXHAUSTED = "quota_exhausted"
IN_FLIGHT_CAP = "in_flight_cap"

DAY_FULL = "day_full"
"""The environment has had its scheduled scans of the day; it goes on at midnight UTC."""

SESSION_TOO_SLOW = "session_too_slow"
"""Why a single session was passed over: the query takes too long with it, and with others it does not."""

PAID = frozenset({QUOTA_EXHAUSTED, DAY_FULL})
"""What is waited for or passed over as the operator has set it (`on_exhausted`)."""

_WAITING = {"no_quota": QUOTA_EXHAUSTED, "capped": IN_FLIGHT_CAP, "day_full": DAY_FULL}


@dataclass(frozen=True, slots=True)
class Asked:
    """`reached`: the settle number that is done with, None when nothing is.

    `waiting_for` and `stuck`: why the rest was not had, and the settle number of the first session of it.
    """

    reached: int | None
    waiting_for: str | None = None
    stuck: int | None = None


def ask(observations: Observations, context: Context, scanner_id: UUID, page: Page) -> Asked:
    """Requests, in one append, the sessions of a page in the order in which they settled.

    Safe to repeat: a pair that was requested before is neither requested nor charged again. Raises NotFound when the
    scanner is gone.
    """
    if not page.candidates:
        return Asked(page.end)
    session_ids = [candidate.session_id for candidate in page.candidates]
    answers = observations.request(context, scanner_id, session_ids, "schedule")
    for candidate, answer in zip(page.candidates, answers, strict=True):
        if answer.outcome in _WAITING:
            before = candidate.settle_number - 1
            return Asked(before if before > page.after else None, _WAITING[answer.outcome], candidate.settle_number)
    return Asked(page.end)
