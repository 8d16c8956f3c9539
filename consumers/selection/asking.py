"""Requesting what a scanner wants of a page of settled sessions: the same for its schedule and for a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commands.context import Context
from commands.observations import Observations
from consumers.selection.candidates import wanted
from domain.eligibility import EligibilityLimits
from domain.scanner import Scanner
from domain.session_facts import SettledSession

QUOTA_EXHAUSTED = "quota_exhausted"
IN_FLIGHT_CAP = "in_flight_cap"

_WAITING = {"no_quota": QUOTA_EXHAUSTED, "capped": IN_FLIGHT_CAP}


@dataclass(frozen=True, slots=True)
class Asked:
    """`reached`: the settle number that is done with, None when nothing is.

    `waiting_for` and `stuck`: why the rest was not had, and the settle number of the first session of it.
    """

    reached: int | None
    waiting_for: str | None = None
    stuck: int | None = None


def ask(
    observations: Observations,
    context: Context,
    scanner: Scanner,
    page: Sequence[SettledSession],
    limits: EligibilityLimits,
) -> Asked:
    """Requests, in one append, what the scanner wants of up to BULK sessions in the order in which they settled.

    Safe to repeat: a pair that was requested before is neither requested nor charged again. Raises NotFound when the
    scanner is gone.
    """
    chosen = [session for session in page if wanted(scanner.id, scanner.query, scanner.sampling_rate, limits, session)]
    end = page[-1].settle_number if page else None
    if not chosen:
        return Asked(end)
    answers = observations.request(context, scanner.id, [session.facts.id for session in chosen], "schedule")
    for session, answer in zip(chosen, answers, strict=True):
        if answer.outcome in _WAITING:
            before = [other.settle_number for other in page if other.settle_number < session.settle_number]
            return Asked(before[-1] if before else None, _WAITING[answer.outcome], session.settle_number)
    return Asked(end)
