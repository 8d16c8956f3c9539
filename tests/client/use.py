"""What a user does with a generated client. Arguments: address, API key, id of a recorded session."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid4

from replay_vision_client import AuthenticatedClient, models
from replay_vision_client.api.actions import (
    vision_actions_create,
    vision_actions_destroy,
    vision_actions_list,
    vision_actions_partial_update,
    vision_actions_retrieve,
)
from replay_vision_client.api.history import vision_scanners_history_list
from replay_vision_client.api.observations import (
    vision_observations_list,
    vision_observations_retrieve,
    vision_scanners_observations_list,
    vision_scanners_observations_retrieve,
    vision_scanners_observations_stats_retrieve,
)
from replay_vision_client.api.quota import environment_vision_quota_retrieve
from replay_vision_client.api.scanners import (
    environments_vision_scanners_retrieve,
    vision_scanners_bulk_observe_create,
    vision_scanners_create,
    vision_scanners_creators_retrieve,
    vision_scanners_destroy,
    vision_scanners_estimate_create,
    vision_scanners_gaps_list,
    vision_scanners_health_retrieve,
    vision_scanners_list,
    vision_scanners_observe_create,
    vision_scanners_partial_update,
    vision_scanners_retrieve,
    vision_scanners_stats_retrieve,
)
from replay_vision_client.api.session_recordings import (
    session_recordings_destroy,
    session_recordings_list,
    session_recordings_retrieve,
    session_recordings_timeline_retrieve,
)

PROJECT = "@current"
SCAN_SECONDS = 30.0
T = TypeVar("T")


def of(kind: type[T], value: object) -> T:
    """The value, which is of that kind."""
    assert isinstance(value, kind), f"expected {kind.__name__}, got {value!r}"
    return value


def new_scanner(name: str) -> models.CreateScanner:
    return models.CreateScanner(
        name=name,
        scanner_type=models.ScannerType.CLASSIFIER,
        scanner_config=models.ClassifierConfig(prompt="Where did the visitor stop?", tags=["cart", "payment"]),
        query=models.RecordingsQuery(filter_test_accounts=True),
        sampling_rate=0.5,
        provider="builtin",
        model="builtin",
    )


def use_scanners(client: AuthenticatedClient) -> models.Scanner:
    """Create, retrieve, list, edit, and what is wrong with a second of the same name."""
    name = f"By the client {uuid4()}"
    made = of(models.Scanner, vision_scanners_create.sync(PROJECT, client=client, body=new_scanner(name)))
    assert made.scanner_type is models.ScannerType.CLASSIFIER
    assert of(models.RecordingsQuery, made.query).filter_test_accounts is True
    assert of(models.User, made.created_by).email
    again = vision_scanners_create.sync_detailed(PROJECT, client=client, body=new_scanner(name))
    refused = of(models.Problem, again.parsed)
    assert (again.status_code, refused.code, refused.attr) == (400, "invalid_input", "name")
    assert of(models.Scanner, vision_scanners_retrieve.sync(PROJECT, made.id, client=client)) == made
    page = of(
        models.ScannerPage, vision_scanners_list.sync(PROJECT, client=client, search=name, scanner_type="classifier")
    )
    assert (page.count, page.results) == (1, [made])
    edited = vision_scanners_partial_update.sync_detailed(
        PROJECT, made.id, client=client, body=models.EditScanner(sampling_rate=1), if_match='"1"'
    )
    assert of(models.Scanner, edited.parsed).scanner_version == 2, edited
    late = vision_scanners_partial_update.sync_detailed(
        PROJECT, made.id, client=client, body=models.EditScanner(sampling_rate=0), if_match='"1"'
    )
    assert of(models.Problem, late.parsed).code == "precondition_failed"
    return made


def use_observations(client: AuthenticatedClient, scanner_id: UUID, session_id: str) -> None:
    """Observe, wait for the answer, and read it in every way."""
    body = models.ObserveBody(session_id=session_id)
    asked = of(models.Observe, vision_scanners_observe_create.sync(PROJECT, scanner_id, client=client, body=body))
    found = _ended(client, scanner_id, asked.observation_id)
    assert found.status is models.ObservationStatus.SUCCEEDED, found
    output = of(models.ScannerResult, found.scanner_result).model_output
    assert set(of(models.ClassifierOutput, output).tags) <= {"cart", "payment"}
    listed = of(models.ObservationPage, vision_scanners_observations_list.sync(PROJECT, scanner_id, client=client))
    assert [row.id for row in listed.results] == [found.id]
    dock = of(models.ObservationPage, vision_observations_list.sync(PROJECT, client=client, session_id=session_id))
    assert found.id in [row.id for row in dock.results]
    assert of(models.Observation, vision_observations_retrieve.sync(PROJECT, found.id, client=client)).id == found.id
    stats = of(
        models.ObservationStats, vision_scanners_observations_stats_retrieve.sync(PROJECT, scanner_id, client=client)
    )
    assert (stats.status_counts.succeeded, stats.monitor) == (1, None)
    assert of(models.ClassifierStats, stats.classifier).total_with_tags == 1
    several = models.BulkObserveBody(session_ids=[session_id, "never recorded"])
    bulk = of(
        models.BulkObserve, vision_scanners_bulk_observe_create.sync(PROJECT, scanner_id, client=client, body=several)
    )
    assert [row.scan_outcome for row in bulk.results] == ["already_scanned", "started"]


def _ended(client: AuthenticatedClient, scanner_id: UUID, observation_id: UUID) -> models.Observation:
    deadline = time.monotonic() + SCAN_SECONDS
    while True:
        answer = vision_scanners_observations_retrieve.sync(PROJECT, scanner_id, observation_id, client=client)
        found = of(models.Observation, answer)
        if found.completed_at is not None:
            return found
        assert time.monotonic() < deadline, f"still {found.status}"
        time.sleep(0.1)


def use_sums(client: AuthenticatedClient) -> None:
    """Quota, creators, counts."""
    quota = of(models.Quota, environment_vision_quota_retrieve.sync(PROJECT, client=client))
    assert quota.usage_this_month >= 1
    assert quota.period_start < quota.period_end
    assert of(models.Creators, vision_scanners_creators_retrieve.sync(PROJECT, client=client)).creators
    assert of(models.ScannerStats, vision_scanners_stats_retrieve.sync(PROJECT, client=client)).by_type.classifier.total


def use_schedule(client: AuthenticatedClient, scanner_id: UUID) -> None:
    """What a scanner would cost, whether its schedule gets on, and what it passed over."""
    query = models.RecordingsQuery(filter_test_accounts=False)
    body = models.EstimateBody(query=query, sampling_rate=0.5, scanner_id=scanner_id)
    planned = of(models.Estimate, vision_scanners_estimate_create.sync(PROJECT, client=client, body=body))
    assert (planned.matched_sessions_in_window, planned.sampling_rate) == (1, 0.5)
    assert planned.window_days >= 1
    assert planned.estimated_observations_per_month >= 1
    assert planned.other_enabled_scanners_monthly == 0
    body.scanner_id = uuid4()
    refused = of(models.Problem, vision_scanners_estimate_create.sync(PROJECT, client=client, body=body))
    assert (refused.code, refused.attr) == ("invalid_input", "scanner_id")
    health = of(models.ScannerHealth, vision_scanners_health_retrieve.sync(PROJECT, scanner_id, client=client))
    assert health.last_day.succeeded >= 1
    (reason,) = health.reasons
    assert (health.status, reason.code) == (
        models.ScannerHealthStatus.BLOCKED,
        models.HealthReasonCode.UNSUPPORTED_CONDITION,
    )
    assert health.unsupported_conditions == ["filter_test_accounts"]
    gaps = of(models.GapPage, vision_scanners_gaps_list.sync(PROJECT, scanner_id, client=client))
    assert (gaps.count, gaps.results, gaps.next_) == (0, [], None)


def use_sessions(client: AuthenticatedClient, session_id: str) -> None:
    """List, retrieve, read what happened, and delete: the last thing that is done with a session."""
    page = of(
        models.SessionRecordingPage,
        session_recordings_list.sync(
            PROJECT, client=client, order=models.SessionRecordingsListOrder.ACTIVITY_SCORE, session_ids=session_id
        ),
    )
    (row,) = page.results
    assert row.end_time > row.start_time
    assert (
        of(models.SessionRecording, session_recordings_retrieve.sync(PROJECT, session_id, client=client)).id == row.id
    )
    lines = of(str, session_recordings_timeline_retrieve.sync(PROJECT, session_id, client=client)).splitlines()
    assert lines[0].startswith("[")
    assert session_recordings_destroy.sync_detailed(PROJECT, session_id, client=client).status_code == 204
    gone = of(models.Problem, session_recordings_retrieve.sync(PROJECT, session_id, client=client))
    assert gone.code == "not_found"


def new_action(name: str, scanner_id: UUID, rrule: str) -> models.CreateAction:
    return models.CreateAction(
        name=name,
        scanner=scanner_id,
        trigger_config=models.TriggerBody(rrule=rrule, timezone="Europe/Prague"),
        selection=models.SelectionBody(tags=["cart"], window_days=7),
        synthesis_config=models.SynthesisBody(prompt_guide="By step."),
        delivery_config=[models.TargetBodyType1(type_="webhook", url="https://hooks.example.org/vision")],
    )


def use_actions(client: AuthenticatedClient, scanner_id: UUID) -> None:
    """Create, retrieve, list, edit, delete, and what is wrong with a bad rule and with a second of the same name."""
    name = f"By the client {uuid4()}"
    body = new_action(name, scanner_id, "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0")
    made = of(models.Action, vision_actions_create.sync(PROJECT, client=client, body=body))
    assert (made.name, made.scanner, made.enabled) == (name, scanner_id, True)
    assert made.trigger_type is models.ActionTriggerType.SCHEDULE
    assert made.trigger_config.timezone == "Europe/Prague"
    assert (made.selection.tags, made.selection.window_days) == (["cart"], 7)
    assert of(datetime, made.next_run_at) > made.created_at
    (target,) = made.delivery_config
    assert of(models.WebhookTarget, target).url == "https://hooks.example.org/vision"
    assert of(models.Action, vision_actions_retrieve.sync(PROJECT, made.id, client=client)) == made
    page = of(models.ActionPage, vision_actions_list.sync(PROJECT, client=client, scanner=str(scanner_id)))
    assert (page.count, page.results) == (1, [made])

    for wrong, code, attr in (
        (body, "invalid_input", "name"),
        (new_action(f"{name} too", uuid4(), "FREQ=DAILY"), "does_not_exist", "scanner"),
        (new_action(f"{name} too", scanner_id, "FREQ=NEVER"), "invalid_input", "trigger_config__rrule"),
    ):
        answer = vision_actions_create.sync_detailed(PROJECT, client=client, body=wrong)
        refused = of(models.Problem, answer.parsed)
        assert (answer.status_code, refused.code, refused.attr) == (400, code, attr)

    changes = models.EditAction(enabled=False, selection=models.SelectionBody())
    edited = of(
        models.Action,
        vision_actions_partial_update.sync(PROJECT, made.id, client=client, body=changes, if_match='"1"'),
    )
    assert (edited.enabled, edited.selection.to_dict(), edited.next_run_at) == (False, {}, made.next_run_at)
    late = vision_actions_partial_update.sync(PROJECT, made.id, client=client, body=changes, if_match='"1"')
    assert of(models.Problem, late).code == "precondition_failed"
    assert vision_actions_destroy.sync_detailed(PROJECT, made.id, client=client).status_code == 204
    gone = vision_actions_retrieve.sync(PROJECT, made.id, client=client)
    assert of(models.Problem, gone).code == "not_found"


def main() -> None:
    address, key, session_id = sys.argv[1:]
    with AuthenticatedClient(base_url=address, token=key) as client:
        made = use_scanners(client)
        use_observations(client, made.id, session_id)
        use_sums(client)
        use_schedule(client, made.id)
        use_actions(client, made.id)
        use_sessions(client, session_id)
        history = of(models.HistoryEntryCursorPage, vision_scanners_history_list.sync(PROJECT, made.id, client=client))
        assert [entry.type_ for entry in history.results] == ["ScannerCreated", "ScannerReconfigured"]
        assert vision_scanners_destroy.sync_detailed(PROJECT, made.id, client=client).status_code == 204
        gone = environments_vision_scanners_retrieve.sync(PROJECT, made.id, client=client)
        assert of(models.Problem, gone).code == "not_found"
    with AuthenticatedClient(base_url=address, token="phx_nobody") as stranger:
        refused = vision_scanners_list.sync_detailed(PROJECT, client=stranger)
        assert (refused.status_code, of(models.Problem, refused.parsed).type_) == (401, "authentication_error")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    print("the generated client works")


if __name__ == "__main__":
    main()
