"""Scanner: what may be created and edited, and what each decision records (contract 3.1, 3.4)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.errors import Invalid, NotFound
from domain.ids import gap_id
from domain.scanner import (
    Scanner,
    ScannerCreated,
    ScannerDeleted,
    ScannerDescribed,
    ScannerDisabled,
    ScannerEnabled,
    ScannerReconfigured,
    ScannerRenamed,
    SweepGapRedriven,
    SweepGapSkipped,
)
from tests.spec.given import NOW, ORGANIZATION_ID, STAMP, STREAM, fact, given

CONFIG = {"prompt": "Did the visitor give up?", "allow_inconclusive": True}
QUERY = {"kind": "RecordingsQuery", "filter_test_accounts": True}
FIELDS: dict[str, Any] = {
    "name": "Dead ends",
    "description": "At the checkout",
    "scanner_type": "monitor",
    "scanner_config": CONFIG,
    "query": QUERY,
    "sampling_rate": 0.25,
    "provider": "google",
    "model": "gemini-3-flash-preview",
    "enabled": True,
    "emits_signals": False,
}
CREATED = fact(ScannerCreated, **FIELDS, created_by=17)
DELETED = fact(ScannerDeleted)


def create(**fields: Any) -> Any:
    return given(Scanner).when(lambda _: Scanner.create(STREAM, STAMP, **{**FIELDS, **fields}))


def edit(**changes: Any) -> Any:
    return given(Scanner, CREATED).when(lambda scanner: scanner.edit(STAMP, changes))


def reconfigured(version: int = 2, **changes: Any) -> Any:
    return fact(ScannerReconfigured, changes=changes, scanner_version=version)


# --- create ---------------------------------------------------------------------------------------------------------


def test_creating_records_every_field_and_the_creator() -> None:
    scanner = create().then(CREATED)
    assert (scanner.scanner_version, scanner.enabled, scanner.deleted, scanner.gaps) == (1, True, False, 0)
    assert (scanner.environment_id, scanner.organization_id) == (7, ORGANIZATION_ID)
    assert scanner.created_on == scanner.updated_at == NOW


def test_the_defaults_of_the_contract() -> None:
    required = {name: FIELDS[name] for name in ("name", "scanner_type", "scanner_config", "model")}
    given(Scanner).when(lambda _: Scanner.create(STREAM, STAMP, **required)).then(
        fact(
            ScannerCreated,
            **required,
            description="",
            query={},
            sampling_rate=1.0,
            provider="google",
            enabled=True,
            emits_signals=False,
            created_by=17,
        )
    )


@pytest.mark.rule("3.1/name-length", "3.1/description-length", "3.1/rate-bounds", "3.1/rate-tiny", "3.2/prompt-length")
@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x" * 255},
        {"description": ""},
        {"description": "x" * 1000},
        {"sampling_rate": 0.0},
        {"sampling_rate": 0.0001},
        {"sampling_rate": 1.0},
        {"query": {}},
        {"enabled": False, "emits_signals": True},
        {"scanner_config": {"prompt": "x" * 20_000}},
    ],
)
def test_the_edges_of_each_rule_are_allowed(fields: dict[str, Any]) -> None:
    create(**fields).then(fact(ScannerCreated, **{**FIELDS, **fields}, created_by=17))


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "", "blank"),
        ("name", " \t\n", "blank"),
        ("name", "x" * 256, "max_length"),
        ("description", "x" * 1001, "max_length"),
        ("scanner_type", "oracle", "invalid_choice"),
        ("sampling_rate", -0.1, "min_value"),
        ("sampling_rate", 1.1, "max_value"),
        ("sampling_rate", float("nan"), "min_value"),
        ("sampling_rate", float("inf"), "max_value"),
        ("sampling_rate", 0.00009, "invalid_input"),
        ("scanner_config", None, "invalid_input"),
        ("scanner_config", {}, "invalid_input"),
        ("scanner_config", {"prompt": "x" * 20_001}, "invalid_input"),
        ("scanner_config", {**CONFIG, "tags": ["a"]}, "invalid_input"),
        ("query", [], "invalid_input"),
        ("query", {"unknown": 1}, "invalid_input"),
    ],
)
def test_each_rule_refuses_with_its_field_and_code(field: str, value: object, code: str) -> None:
    create(**{field: value}).then_refused(Invalid, field=field, code=code)


@pytest.mark.rule("2.2/first-problem", "2.2/cross-field-last")
def test_the_first_broken_rule_is_named_fields_first_then_the_config_which_depends_on_the_type() -> None:
    """Contract 2.2: field declaration order, then the cross-field checks."""
    broken: dict[str, Any] = {
        "name": " ",
        "description": "x" * 1001,
        "scanner_type": "oracle",
        "query": {"unknown": 1},
        "sampling_rate": 2,
        "scanner_config": {},
    }
    while broken:
        create(**broken).then_refused(Invalid, field=next(iter(broken)))
        del broken[next(iter(broken))]


@pytest.mark.rule("3.3/dates-stripped")
def test_date_keys_are_dropped_before_saving_and_the_callers_own_query_is_left_alone() -> None:
    sent = {**QUERY, "date_from": "-7d", "date_to": None}
    create(query=sent).then(CREATED)
    assert sent == {**QUERY, "date_from": "-7d", "date_to": None}


# --- edit -----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("3.4/version-untouched")
@pytest.mark.parametrize(
    ("changes", "recorded"),
    [
        ({"name": "Ends"}, fact(ScannerRenamed, name="Ends")),
        ({"name": "dead ends"}, fact(ScannerRenamed, name="dead ends")),
        ({"description": ""}, fact(ScannerDescribed, description="")),
        ({"enabled": False}, fact(ScannerDisabled)),
    ],
)
def test_name_description_and_enabled_never_raise_the_version(changes: dict[str, Any], recorded: Any) -> None:
    assert edit(**changes).then(recorded).scanner_version == 1


VERSIONED_CHANGES: list[dict[str, Any]] = [
    {"scanner_config": {"prompt": "Another?"}},
    {"scanner_config": {"prompt": "Did the visitor give up?"}},
    {"scanner_config": {**CONFIG, "allow_inconclusive": False}},
    {"query": {}},
    {"query": {**QUERY, "operand": "OR"}},
    {"sampling_rate": 0.5},
    {"sampling_rate": 0.0},
    {"provider": "openai"},
    {"model": "another"},
    {"emits_signals": True},
]


@pytest.mark.rule("3.4/version-fields")
@pytest.mark.parametrize("changes", VERSIONED_CHANGES)
def test_each_versioned_field_raises_the_version_by_one(changes: dict[str, Any]) -> None:
    assert edit(**changes).then(reconfigured(**changes)).scanner_version == 2


@pytest.mark.rule("3.4/version-by-one")
def test_many_fields_in_one_save_raise_the_version_by_exactly_one() -> None:
    versioned: dict[str, Any] = {
        "scanner_config": {"prompt": "Another?"},
        "query": {},
        "sampling_rate": 0.5,
        "provider": "builtin",
        "model": "builtin",
        "emits_signals": True,
    }
    scanner = edit(**versioned, name="Ends", description="", enabled=False).then(
        fact(ScannerRenamed, name="Ends"),
        fact(ScannerDescribed, description=""),
        reconfigured(**versioned),
        fact(ScannerDisabled),
    )
    assert scanner.scanner_version == 2


def test_only_the_fields_that_really_changed_are_recorded() -> None:
    edit(model="another", sampling_rate=0.25, scanner_config=CONFIG).then(reconfigured(model="another"))


def test_versions_count_on_from_the_last() -> None:
    given(Scanner, CREATED, reconfigured(2, model="b"), reconfigured(3, model="c")).when(
        lambda scanner: scanner.edit(STAMP, {"model": "b"})
    ).then(reconfigured(4, model="b"))


@pytest.mark.rule("3.4/version-same-value")
@pytest.mark.parametrize("name", sorted(FIELDS))
def test_sending_the_same_value_records_nothing(name: str) -> None:
    edit(**{name: FIELDS[name]}).then_nothing()


def test_sending_everything_again_records_nothing() -> None:
    edit(**FIELDS).then_nothing()
    edit().then_nothing()


@pytest.mark.rule("3.4/version-same-value")
def test_one_and_one_point_zero_are_the_same_number_but_true_is_not_a_number() -> None:
    scaled = {"prompt": "How angry?", "scale": {"min": 0, "max": 1}}
    scorer = fact(
        ScannerCreated,
        **{
            **FIELDS,
            "scanner_type": "scorer",
            "scanner_config": scaled,
            "query": {"tags": {"a": 1}},
            "sampling_rate": 1.0,
        },
        created_by=17,
    )
    same = {**scaled, "scale": {"min": 0.0, "max": 1.0}}
    for changes in ({"scanner_config": same}, {"query": {"tags": {"a": 1.0}}}, {"sampling_rate": 1}):
        given(Scanner, scorer).when(lambda s, changes=changes: s.edit(STAMP, changes)).then_nothing()
    other = {"query": {"tags": {"a": True}}}
    given(Scanner, scorer).when(lambda s: s.edit(STAMP, other)).then(reconfigured(2, **other))


def test_the_date_keys_of_a_query_are_no_change() -> None:
    edit(query={**QUERY, "date_from": "-1d"}).then_nothing()


@pytest.mark.rule("3.4/type-immutable")
def test_the_type_cannot_change_but_may_be_repeated() -> None:
    edit(scanner_type="scorer").then_refused(Invalid, field="scanner_type", code="invalid_input")
    edit(scanner_type="monitor").then_nothing()
    edit(scanner_type="monitor", name="Ends").then(fact(ScannerRenamed, name="Ends"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "Fine", "description": "x" * 1001}, "description"),
        ({"name": "Fine", "sampling_rate": 7}, "sampling_rate"),
        ({"enabled": False, "scanner_config": {"prompt": ""}}, "scanner_config"),
        ({"model": "another", "query": {"unknown": 1}}, "query"),
        ({"scanner_config": {"prompt": "p", "scale": {"min": 0, "max": 1}}}, "scanner_config"),
    ],
)
def test_an_edit_that_breaks_a_rule_changes_nothing_at_all(changes: dict[str, Any], field: str) -> None:
    edit(**changes).then_refused(Invalid, field=field)


def test_edits_name_the_first_broken_rule_in_the_order_of_create() -> None:
    broken: dict[str, Any] = {
        "name": " ",
        "description": "x" * 1001,
        "query": {"unknown": 1},
        "sampling_rate": 2,
        "scanner_type": "scorer",
        "scanner_config": {},
    }
    while broken:
        edit(**broken).then_refused(Invalid, field=next(iter(broken)))
        del broken[next(iter(broken))]


def test_enabling_and_disabling() -> None:
    disabled = (CREATED, fact(ScannerDisabled))
    assert given(Scanner, *disabled).when(lambda s: s.edit(STAMP, {"enabled": True})).then(fact(ScannerEnabled)).enabled
    given(Scanner, *disabled).when(lambda s: s.edit(STAMP, {"enabled": False})).then_nothing()


# --- the rest -------------------------------------------------------------------------------------------------------


def test_a_skipped_gap_is_noted() -> None:
    skipped = fact(SweepGapSkipped, start=3, end=9, reason="no_quota")
    scanner = given(Scanner, CREATED).when(lambda s: s.skip_gap(STAMP, 3, 9, "no_quota")).then(skipped)
    assert (scanner.gaps, scanner.scanner_version) == (1, 1)
    given(Scanner, CREATED, skipped).when(lambda s: s.skip_gap(STAMP, 3, 9, "no_quota")).then_nothing()
    given(Scanner, CREATED, skipped).when(lambda s: s.skip_gap(STAMP, 10, 10, "no_quota")).then(
        fact(SweepGapSkipped, start=10, end=10, reason="no_quota")
    )


GAP = gap_id(STREAM, 3)
SKIPPED = fact(SweepGapSkipped, start=3, end=9, reason="quota_exhausted")
REDRIVEN = fact(SweepGapRedriven, gap_id=GAP, start=3, end=9)


def test_a_gap_is_redriven_once() -> None:
    """Extensions "Observing": asking again records nothing, and says when it was asked for first."""
    given(Scanner, CREATED, SKIPPED).when(lambda s: s.redrive_gap(STAMP, GAP)).then(REDRIVEN)
    later = replace(STAMP, recorded_at=NOW + timedelta(hours=1))
    given(Scanner, CREATED, SKIPPED, REDRIVEN).when(lambda s: s.redrive_gap(later, GAP)).then_nothing()
    answers: list[datetime] = []
    given(Scanner, CREATED, SKIPPED, REDRIVEN).when(lambda s: answers.append(s.redrive_gap(later, GAP)))
    assert answers == [NOW]


def test_an_unknown_gap_cannot_be_redriven() -> None:
    unknown = gap_id(STREAM, 4)
    given(Scanner, CREATED, SKIPPED).when(lambda s: s.redrive_gap(STAMP, unknown)).then_refused(NotFound)


def test_deleting() -> None:
    assert given(Scanner, CREATED).when(lambda s: s.delete(STAMP)).then(DELETED).deleted


@pytest.mark.parametrize(
    "decide",
    [
        lambda s: s.edit(STAMP, {}),
        lambda s: s.edit(STAMP, {"name": "Again"}),
        lambda s: s.edit(STAMP, {"name": " "}),
        lambda s: s.delete(STAMP),
        lambda s: s.skip_gap(STAMP, 1, 2, "no_quota"),
        lambda s: s.redrive_gap(STAMP, gap_id(STREAM, 1)),
    ],
)
def test_a_deleted_scanner_refuses_everything(decide: Any) -> None:
    given(Scanner, CREATED, DELETED).when(decide).then_refused(NotFound)


def test_a_snapshot_is_what_an_observation_freezes() -> None:
    scanner = create().then(CREATED)
    assert scanner.snapshot() == {
        "name": "Dead ends",
        "scanner_type": "monitor",
        "scanner_version": 1,
        "model": "gemini-3-flash-preview",
        "provider": "google",
        "emits_signals": False,
        "scanner_config": CONFIG,
    }
