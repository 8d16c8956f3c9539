"""Every projection of this release."""

from projections.accounts import ACCOUNTS
from projections.action_runs import ACTION_RUNS
from projections.actions import ACTIONS
from projections.delivery import DELIVERY
from projections.engine.projection import Projection
from projections.history import HISTORY
from projections.integrations import INTEGRATIONS
from projections.observations import OBSERVATIONS
from projections.quota import QUOTA
from projections.recordings import RECORDINGS
from projections.scanners import SCANNERS

PROJECTIONS: tuple[Projection, ...] = (
    SCANNERS,
    OBSERVATIONS,
    ACTIONS,
    ACTION_RUNS,
    QUOTA,
    RECORDINGS,
    ACCOUNTS,
    INTEGRATIONS,
    DELIVERY,
    HISTORY,
)
"""In the order in which a page is fed to them: first those that writers wait for."""


def named(name: str) -> Projection:
    """Raises KeyError for an unknown name."""
    return {projection.name: projection for projection in PROJECTIONS}[name]
