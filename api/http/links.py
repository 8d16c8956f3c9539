"""What a client may do next with an answer (OpenAPI links)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Link:
    """Leads from an answer to another operation below the same prefix.

    `to` is the operation's name in the route table. `parameters` gives its path and query parameters as runtime
    expressions; the environment is the request's own.
    """

    to: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None


def of_scanner(scanner_id: str) -> tuple[Link, ...]:
    """Everything that is done with one scanner, whose id is the given expression."""
    one, parent = {"id": scanner_id}, {"scanner_id": scanner_id}
    return (
        Link("scanners_retrieve", one),
        Link("scanners_partial_update", one),
        Link("scanners_observe_create", one),
        Link("scanners_bulk_observe_create", one),
        Link("scanners_observations_list", parent),
        Link("scanners_observations_stats_retrieve", parent),
        Link("scanners_history_list", one),
        Link("scanners_health_retrieve", one),
        Link("scanners_gaps_list", parent),
        Link("scanners_destroy", one),
    )


def of_session(session_id: str) -> tuple[Link, ...]:
    """Everything that is done with one recorded session, whose id is the given expression."""
    one = {"id": session_id}
    return (
        Link("session_recordings_retrieve", one),
        Link("session_recordings_timeline_retrieve", one),
        Link("session_recordings_destroy", one),
    )


def of_gap(gap_id: str, scanner_id: str) -> tuple[Link, ...]:
    """Everything that is done with one gap; both ids are expressions."""
    return (Link("scanners_gaps_redrive_create", {"scanner_id": scanner_id, "id": gap_id}),)


def of_action(action_id: str) -> tuple[Link, ...]:
    """Everything that is done with one action, whose id is the given expression."""
    one = {"id": action_id}
    return (
        Link("actions_retrieve", one),
        Link("actions_partial_update", one),
        Link("actions_run_create", one),
        Link("actions_runs_list", {"action_id": action_id}),
        Link("actions_history_list", one),
        Link("actions_destroy", one),
    )


def of_run(run_id: str, action_id: str) -> tuple[Link, ...]:
    """What is done with one run of an action; both ids are expressions."""
    return (Link("actions_runs_retrieve", {"action_id": action_id, "id": run_id}),)


def of_delivery(delivery_id: str, run_id: str, action_id: str) -> tuple[Link, ...]:
    """What is done with one delivery of a run; the ids are expressions."""
    place = {"action_id": action_id, "run_id": run_id, "id": delivery_id}
    return (Link("actions_runs_deliveries_redeliver_create", place),)


def of_observation(observation_id: str, scanner_id: str) -> tuple[Link, ...]:
    """Everything that is done with one observation; both ids are expressions."""
    both = {"scanner_id": scanner_id, "id": observation_id}
    return (
        Link("observations_retrieve", {"id": observation_id}),
        Link("scanners_observations_retrieve", both),
        Link("scanners_observations_retry_create", both),
    )
