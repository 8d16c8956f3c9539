"""Whether a scanner produces anything, and if not, why: a scanner never looks healthy while it produces nothing.

Pure: what is known comes from projections/queries/scanner_health.py (extensions "Observing", contract 10 row 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from commands.observations import quota_message
from consumers.selection.asking import DAY_FULL, IN_FLIGHT_CAP, QUOTA_EXHAUSTED
from consumers.selection.watermarks import TOO_SLOW
from domain.quota import Period
from projections.queries.scanner_health import Ending, Schedule, Signs

Status = Literal["ok", "waiting", "blocked", "disabled"]

WAITING = frozenset({QUOTA_EXHAUSTED, IN_FLIGHT_CAP})
"""What passes by itself. Every other reason needs somebody to change something."""

FAILURES = 3
"""Failures of the provider after one another that make it a failing one."""

_PROVIDER = "provider_"
"""How the kinds of failures begin that are the provider's (contract 4.1)."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The organization's, at this moment."""

    exhausted: bool
    allowance: int
    period: Period


@dataclass(frozen=True, slots=True)
class Installed:
    """What this installation can ask."""

    providers: Mapping[str, str | None]
    """Each with the setting that is missing before it can be asked; None: nothing is."""
    models: Mapping[str, Sequence[str]]
    """Their ids by provider."""

    def lacks(self, provider: str, model: str) -> str | None:
        """Why a scanner of that model cannot be answered; None when it can."""
        if provider not in self.providers:
            return f'This installation has no provider "{provider}"'
        if missing := self.providers[provider]:
            return f'The provider "{provider}" is not configured, as {missing} is not set'
        if model not in self.models.get(provider, ()):
            return f'This installation no longer lists the model "{model}" of {provider}'
        return None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why little or nothing comes of a scanner. `since`: from when on, as far as it is known."""

    code: str
    detail: str
    since: datetime


def health(
    signs: Signs,
    quota: Quota,
    installed: Installed,
    unsupported: Sequence[str],
    now: datetime,
    patience: timedelta,
) -> dict[str, Any]:
    """The document of extensions "Observing".

    `unsupported` are the query's conditions that cannot be answered. A schedule that has let a session wait for longer
    than `patience` is `waiting`, also when there is no reason to name: then nobody sweeps.
    """
    reasons = list(_reasons(signs, quota, installed, unsupported))
    return {
        "status": _status(signs, [reason.code for reason in reasons], now - patience),
        "reasons": [{"code": each.code, "detail": each.detail, "since": each.since} for each in reasons],
        "settled_behind": signs.behind,
        "pending": signs.pending,
        "running": signs.running,
        "last_day": {"succeeded": signs.succeeded, "failed": signs.failed, "ineligible": signs.ineligible},
        "unsupported_conditions": list(unsupported),
    }


def _status(signs: Signs, codes: Sequence[str], late: datetime) -> Status:
    if not signs.schedule.enabled:
        return "disabled"
    if set(codes) - WAITING:
        return "blocked"
    overdue = signs.oldest_behind is not None and signs.oldest_behind < late
    return "waiting" if codes or overdue else "ok"


def _reasons(signs: Signs, quota: Quota, installed: Installed, unsupported: Sequence[str]) -> Iterator[Reason]:
    yield from _settings(signs.schedule, unsupported)
    lacking = installed.lacks(signs.schedule.provider, signs.schedule.model)
    if lacking is not None:
        detail = f"{lacking}, so every observation fails."
        yield Reason("provider_not_configured", detail, signs.schedule.provider_at)
    elif failing := _failing([ending for ending in signs.last_endings if ending.at >= signs.schedule.provider_at]):
        yield failing
    waiting = signs.schedule.waiting_for
    if quota.exhausted or waiting == QUOTA_EXHAUSTED:
        yield Reason(QUOTA_EXHAUSTED, quota_message(quota.allowance, quota.period), _out_of_quota_since(signs, quota))
    elif waiting == DAY_FULL:
        detail = "The project has had its scheduled scans of the day (UTC). The schedule goes on tomorrow."
        yield Reason(QUOTA_EXHAUSTED, detail, signs.schedule.waiting_since or signs.schedule.enabled_at)
    if waiting == IN_FLIGHT_CAP:
        detail = "As many observations are in progress as the schedule may have. It goes on when some have ended."
        yield Reason(IN_FLIGHT_CAP, detail, signs.schedule.waiting_since or signs.schedule.enabled_at)


def _settings(schedule: Schedule, unsupported: Sequence[str]) -> Iterator[Reason]:
    """What the scanner's own settings keep it from."""
    if not schedule.enabled:
        detail = "The scanner is disabled: its schedule stands still."
        yield Reason("disabled", detail, schedule.disabled_at or schedule.enabled_at)
    if schedule.sampling_rate == 0:
        detail = "The sampling rate is 0: the schedule takes no session."
        yield Reason("sampling_zero", detail, schedule.sampling_rate_at)
    if unsupported:
        detail = f"The query has conditions that cannot be evaluated, so it selects nothing: {'; '.join(unsupported)}."
        yield Reason("unsupported_condition", detail, schedule.query_at)
    elif schedule.waiting_for == TOO_SLOW:
        detail = "The query takes too long to evaluate. The schedule waits and tries again."
        yield Reason("unsupported_condition", detail, schedule.waiting_since or schedule.query_at)


def _failing(endings: Sequence[Ending]) -> Reason | None:
    """The provider's failures since its last answer; `endings` come latest first."""
    failures: list[Ending] = []
    for ending in endings:
        if ending.status == "succeeded":
            break
        if ending.status == "failed" and ending.error_reason.startswith(_PROVIDER):
            failures.append(ending)
    if len(failures) < FAILURES:
        return None
    kind = failures[0].error_reason.partition(":")[0]
    detail = f"The last {len(failures)} observations that reached the provider failed, the latest with {kind}."
    return Reason("provider_failing", detail, failures[-1].at)


def _out_of_quota_since(signs: Signs, quota: Quota) -> datetime:
    """When the schedule began to wait; before any session has come to wait, when the scanner last got one."""
    if signs.schedule.waiting_for == QUOTA_EXHAUSTED and signs.schedule.waiting_since is not None:
        return signs.schedule.waiting_since
    return max(filter(None, (quota.period.start, signs.schedule.enabled_at, signs.newest)))
