"""Which window a run looks at (extensions "Window of a run").

It is known when the projections have passed the run's claim: then everything is there that lies in it, and how earlier
runs ended.
"""

from __future__ import annotations

from datetime import timedelta

import psycopg

from domain.action_run import ActionRun
from domain.alert import AlertState
from domain.tenant import Tenant
from projections.queries import action_runs
from projections.queries.selected import Window

FIRST = timedelta(hours=24)
"""The window of a first run that goes on from no other."""


def window_of(connection: psycopg.Connection, tenant: Tenant, run: ActionRun, alert: AlertState | None) -> Window:
    """The window of a run. `alert`: how the action's alert stands, None for a report.

    Rolling, as the claim says; or from where the last completed run of the schedule ended, which for an alert is the
    last one that measured.
    """
    if run.window_start is not None:
        return Window(run.window_start, run.window_end, run.since, run.position)
    if alert is not None:
        return Window(alert.measured_until, run.window_end, alert.measured_to, run.position)
    last = action_runs.anchor(connection, tenant, run.action_id, run.position)
    if last is None:
        return Window(run.window_end - FIRST, run.window_end, None, run.position)
    return Window(last.at, run.window_end, last.position, run.position)


def before(window: Window) -> Window:
    """The window of the same length that ends where this one begins."""
    return Window(window.start - (window.end - window.start), window.start, None, window.until)
