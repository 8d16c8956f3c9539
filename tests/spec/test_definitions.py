"""What an environment defines for recording filters: what is taken, what is refused, and that nothing changes twice."""

from __future__ import annotations

from typing import Any

import pytest

from domain.accounts import Environment, EnvironmentActionsDefined, EnvironmentCreated, EnvironmentTestAccountsSet
from domain.errors import Invalid
from tests.spec.given import STAMP, fact, given

CREATED = fact(EnvironmentCreated, name="Web", timezone="UTC", project_token="phc_1")
FILTER: dict[str, Any] = {"key": "email", "type": "person", "operator": "not_icontains", "value": "@acme.example"}
STEP: dict[str, Any] = {
    "event": "$autocapture", "url": "/cart", "url_matching": "contains", "text": "Buy", "text_matching": "exact",
    "href": "/x", "href_matching": "regex", "tag_name": "a", "selector": "a > b", "properties": [FILTER],
}  # fmt: skip
ACTION: dict[str, Any] = {"id": 3, "name": "Bought", "steps": [STEP, {"event": "bought"}, {"event": None}]}


def test_test_accounts_are_kept_as_given() -> None:
    environment = (
        given(Environment, CREATED)
        .when(lambda e: e.set_test_accounts(STAMP, [FILTER]))
        .then(fact(EnvironmentTestAccountsSet, filters=[FILTER]))
    )
    assert environment.test_accounts == [FILTER]
    known = fact(EnvironmentTestAccountsSet, filters=[FILTER])
    given(Environment, CREATED, known).when(lambda e: e.set_test_accounts(STAMP, [dict(FILTER)])).then_nothing()
    given(Environment, CREATED, known).when(lambda e: e.set_test_accounts(STAMP, [])).then(
        fact(EnvironmentTestAccountsSet, filters=[])
    )


def test_actions_are_kept_as_given() -> None:
    environment = (
        given(Environment, CREATED)
        .when(lambda e: e.define_actions(STAMP, [ACTION]))
        .then(fact(EnvironmentActionsDefined, actions=[ACTION]))
    )
    assert environment.actions == [ACTION]
    known = fact(EnvironmentActionsDefined, actions=[ACTION])
    given(Environment, CREATED, known).when(lambda e: e.define_actions(STAMP, [dict(ACTION)])).then_nothing()


@pytest.mark.parametrize(
    "filters",
    ["text", {}, None, [5], [{}], [{"key": "a"}], [{**FILTER, "type": "nonsense"}], [FILTER] * 51,
     [{**FILTER, "value": "x" * 64_000}], [{**FILTER, "value": "nul\x00"}], [{**FILTER, "key": "\ud800"}]],
)  # fmt: skip
def test_test_accounts_that_are_refused(filters: Any) -> None:
    given(Environment, CREATED).when(lambda e: e.set_test_accounts(STAMP, filters)).then_refused(
        Invalid, field="test_accounts", code="invalid_input"
    )


@pytest.mark.parametrize(
    "actions",
    ["text", {}, [5], [{}], [{**ACTION, "id": "3"}], [{**ACTION, "name": ""}], [{**ACTION, "steps": []}],
     [{**ACTION, "steps": [{}] * 21}], [{**ACTION, "steps": [{"evnt": "x"}]}],
     [{**ACTION, "steps": [{"url": "x", "url_matching": "like"}]}], [ACTION, ACTION],
     [{**ACTION, "id": number} for number in range(201)], [{**ACTION, "extra": 1}],
     [{**ACTION, "steps": [{"properties": [{"key": "a", "type": "nonsense"}]}]}]],
)  # fmt: skip
def test_actions_that_are_refused(actions: Any) -> None:
    given(Environment, CREATED).when(lambda e: e.define_actions(STAMP, actions)).then_refused(
        Invalid, field="actions", code="invalid_input"
    )


def test_a_refusal_says_where() -> None:
    with pytest.raises(Invalid, match=r"0\.steps\.0\.url_matching"):
        Environment.create(7, STAMP, name="Web", timezone="UTC", project_token="t").define_actions(
            STAMP, [{**ACTION, "steps": [{"url_matching": "like"}]}]
        )
