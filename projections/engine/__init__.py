"""Feeds projections from the log: batches, positions, parking, replay, rebuild beside live."""

from projections.engine.completeness import Behind, check_complete
from projections.engine.installing import install
from projections.engine.parking import lag, parked, replay
from projections.engine.projection import Projection
from projections.engine.rebuilding import rebuild
from projections.engine.runner import Runner
from projections.engine.waiting import wait_for

__all__ = [
    "Behind",
    "Projection",
    "Runner",
    "check_complete",
    "install",
    "lag",
    "parked",
    "rebuild",
    "replay",
    "wait_for",
]
