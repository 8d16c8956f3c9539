"""Action: what may be created and edited, and what each decision records (contract 8.1)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.action import (
    Action,
    ActionCreated,
    ActionDeleted,
    ActionDisabled,
    ActionEnabled,
    ActionReconfigured,
    ActionRenamed,
    ActionScheduled,
)
from domain.errors import Invalid, NotFound
from tests.spec.given import NOW, STAMP, STREAM, Given, fact, given

SCANNER = UUID("0197b0d1-0c1a-7b0b-9f7e-2b2b5d7f9a10")
RULE: dict[str, Any] = {"rrule": "FREQ=DAILY;BYHOUR=8;BYMINUTE=0;BYSECOND=0", "timezone": "Europe/Prague"}
TOMORROW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "name": "Digest",
    "scanner": SCANNER,
    "enabled": True,
    "trigger_type": "schedule",
    "mode": "group_summary",
    "trigger_config": RULE,
    "selection": {"window_days": 1},
    "synthesis_config": {},
    "alert_config": {},
    "delivery_config": [],
}
CREATED = fact(ActionCreated, **FIELDS, next_run_at=TOMORROW, created_by=17)
DELETED = fact(ActionDeleted)


def edit(**changes: Any) -> Any:
    return given(Action, CREATED).when(lambda action: action.edit(STAMP, changes))


def create(**fields: Any) -> Any:
    begin: Given[Action] = given(Action)
    return begin.when(lambda _: Action.create(STREAM, STAMP, **{"name": "Digest", "scanner": SCANNER, **fields}))


@pytest.mark.rule("trap/65")
def test_it_is_created_with_its_first_due_time() -> None:
    create(trigger_config=RULE).then(CREATED)


def test_without_a_rule_it_is_never_due() -> None:
    create().then(
        fact(ActionCreated, **{**FIELDS, "trigger_config": {}}, next_run_at=None, created_by=17),
    )


@pytest.mark.rule("8.1/selection-own-default", "trap/67")
def test_no_default_is_shared_between_actions() -> None:
    """Engine 10, trap 67."""
    first = create().then(fact(ActionCreated, **{**FIELDS, "trigger_config": {}}, next_run_at=None, created_by=17))
    first.selection["window_days"] = 30
    create().then(fact(ActionCreated, **{**FIELDS, "trigger_config": {}}, next_run_at=None, created_by=17))


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"name": " "}, "name", "blank"),
        ({"name": "x" * 256}, "name", "max_length"),
        ({"trigger_type": "threshold"}, "trigger_type", "invalid_input"),
        ({"trigger_type": "x"}, "trigger_type", "invalid_choice"),
        ({"mode": "per_observation"}, "mode", "invalid_input"),
        ({"mode": "x"}, "mode", "invalid_choice"),
        ({"mode": "alert"}, "alert_config", "required"),
        ({"alert_config": {"metric": "count"}}, "alert_config__threshold", "required"),
        ({"trigger_config": {"rrule": "FREQ=MINUTELY"}}, "trigger_config__rrule", "invalid_input"),
        ({"trigger_config": {"timezone": "x"}}, "trigger_config__timezone", "invalid_input"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], field: str, code: str) -> None:
    create(**fields).then_refused(Invalid, field=field, code=code)
    edit(**fields).then_refused(Invalid, field=field, code=code)


@pytest.mark.rule("trap/65")
def test_an_edit_records_what_really_changes() -> None:
    other = UUID(int=5)
    edit(name="Evening", scanner=other, enabled=False, mode="group_summary", selection={"window_days": 1}).then(
        fact(ActionRenamed, name="Evening"),
        fact(ActionReconfigured, changes={"scanner": str(other)}),
        fact(ActionDisabled),
    )
    edit(**FIELDS).then_nothing()
    edit().then_nothing()


@pytest.mark.rule("8.1/next-run-recomputed", "trap/65", "trap/66")
@pytest.mark.parametrize(
    ("trigger_config", "due"),
    [
        ({"rrule": "FREQ=HOURLY;BYMINUTE=0;BYSECOND=0", "timezone": "UTC"}, datetime(2026, 11, 23, 10, 0, tzinfo=UTC)),
        ({**RULE, "timezone": "UTC"}, datetime(2026, 11, 24, 8, 0, tzinfo=UTC)),
        ({}, None),
    ],
)
def test_another_rule_or_zone_alone_is_due_anew(trigger_config: dict[str, Any], due: datetime | None) -> None:
    edit(trigger_config=trigger_config).then(
        fact(ActionReconfigured, changes={"trigger_config": trigger_config}),
        fact(ActionScheduled, next_run_at=due),
    )


def test_a_rule_without_a_zone_means_utc_also_in_an_edit() -> None:
    edit(trigger_config={"rrule": RULE["rrule"]}).then(
        fact(ActionReconfigured, changes={"trigger_config": {**RULE, "timezone": "UTC"}}),
        fact(ActionScheduled, next_run_at=datetime(2026, 11, 24, 8, 0, tzinfo=UTC)),
    )


@pytest.mark.rule("8.1/next-run-kept")
def test_enabling_does_not_move_the_due_time() -> None:
    enabled = given(Action, CREATED, fact(ActionDisabled)).when(lambda action: action.edit(STAMP, {"enabled": True}))
    assert enabled.then(fact(ActionEnabled)).next_run_at == TOMORROW


def test_a_deleted_action_takes_nothing() -> None:
    given(Action, CREATED).when(lambda action: action.delete(STAMP)).then(DELETED)
    gone = given(Action, CREATED, DELETED)
    gone.when(lambda action: action.edit(STAMP, {"name": "x"})).then_refused(NotFound)
    gone.when(lambda action: action.delete(STAMP)).then_refused(NotFound)


@pytest.mark.rule("8.1/next-run-local")
def test_the_rule_begins_at_the_creation_and_not_at_the_edit() -> None:
    """Every second week counts from the week of the creation."""
    rule = {"rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;BYHOUR=8;BYMINUTE=0;BYSECOND=0", "timezone": "UTC"}
    edited = edit(trigger_config=rule).then(
        fact(ActionReconfigured, changes={"trigger_config": rule}),
        fact(ActionScheduled, next_run_at=datetime(2026, 11, 24, 8, 0, tzinfo=UTC)),
    )
    assert edited.created_on == NOW


@pytest.mark.rule("8.1/rrule-effective")
def test_a_stored_rule_that_is_no_longer_one_is_told_until_it_is_mended() -> None:
    """Sent or stored, the rule that would stand is checked, whatever is edited."""
    stale = fact(
        ActionCreated,
        **{**FIELDS, "trigger_config": {**RULE, "rrule": "FREQ=MINUTELY"}},
        next_run_at=None,
        created_by=17,
    )
    edited = given(Action, stale)
    for changes in ({"name": "Evening"}, {"enabled": False}, {"trigger_type": "schedule"}):
        edited.when(lambda action, changes=changes: action.edit(STAMP, changes)).then_refused(
            Invalid, field="trigger_config__rrule", code="invalid_input"
        )
    edited.when(lambda action: action.edit(STAMP, {"trigger_config": RULE})).then(
        fact(ActionReconfigured, changes={"trigger_config": RULE}), fact(ActionScheduled, next_run_at=TOMORROW)
    )


def test_who_read_the_clock_before_another_and_comes_after_it_does_not_set_the_time_back() -> None:
    action = Action.create(STREAM, STAMP, name="Digest", scanner=SCANNER)
    action.edit(replace(STAMP, recorded_at=NOW + timedelta(seconds=2)), {"enabled": False})
    action.edit(replace(STAMP, recorded_at=NOW + timedelta(seconds=1)), {"enabled": True})
    assert (action.enabled, action.updated_at) == (True, NOW + timedelta(seconds=2))


ALERT: dict[str, Any] = {"metric": "count", "threshold": 3}
WATCHED = {**ALERT, "direction": "above", "window_days": 1, "frequency": "on_breach", "cooldown_minutes": 0}


def test_an_alert_stores_its_config_whole() -> None:
    made = create(mode="alert", alert_config=ALERT, trigger_config=RULE).then(
        fact(ActionCreated, **{**FIELDS, "mode": "alert", "alert_config": WATCHED}, next_run_at=TOMORROW, created_by=17)
    )
    assert (made.condition, made.armed_at) == (1, NOW)


def test_a_config_is_replaced_whole_and_stays_when_the_mode_changes() -> None:
    alert = fact(ActionCreated, **{**FIELDS, "mode": "alert", "alert_config": WATCHED}, next_run_at=None, created_by=17)
    share = {"metric": "verdict_share", "verdict": "no", "threshold": 0.5}
    given(Action, alert).when(lambda action: action.edit(STAMP, {"alert_config": share})).then(
        fact(ActionReconfigured, changes={"alert_config": {**WATCHED, **share}})
    )
    given(Action, alert).when(lambda action: action.edit(STAMP, {"alert_config": ALERT})).then_nothing()
    given(Action, alert).when(lambda action: action.edit(STAMP, {"alert_config": {}})).then_refused(
        Invalid, field="alert_config", code="required"
    )
    digest = fact(ActionReconfigured, changes={"mode": "group_summary"})
    changed = given(Action, alert).when(lambda action: action.edit(STAMP, {"mode": "group_summary"})).then(digest)
    assert changed.alert_config == WATCHED
    again = given(Action, alert, digest).when(lambda action: action.edit(STAMP, {"mode": "alert"}))
    again.then(fact(ActionReconfigured, changes={"mode": "alert"}))


@pytest.mark.parametrize(
    ("changes", "condition"),
    [({"selection": {}}, 2), ({"scanner": UUID(int=5)}, 2), ({"synthesis_config": {"prompt_guide": "x"}}, 1)],
)
def test_what_it_watches_has_the_version_of_its_last_change(changes: dict[str, Any], condition: int) -> None:
    action = Action.create(STREAM, STAMP, name="Many", scanner=SCANNER, mode="alert", alert_config=ALERT)
    action.edit(STAMP, changes)
    assert (action.version, action.condition, action.snapshot()["condition"]) == (2, condition, condition)
