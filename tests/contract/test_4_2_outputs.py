"""Contract 4.1 and 4.2: what an observation of each type shows, key by key."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.event import Actor
from tests.contract.site import Site, observe, scanner
from tests.contract.test_4_observations import KEYS

SEGMENTS = [
    {"kind": "text", "value": "The card was refused"},
    {"kind": "chip", "timestamp_ms": 84_000},
    {"kind": "text", "value": " twice."},
]
PROSE = "The card was refused (t 84) twice."
VOCABULARY = ["Payment", "login issue", "other"]


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


def output(site: Site, api: httpx.Client, scanner_type: str, config: dict[str, Any], answer: dict[str, Any]) -> Any:
    """What the observation shows after a provider gave `answer`."""
    made = scanner(api, str(uuid4()), scanner_type=scanner_type, scanner_config=config)["id"]
    observation = observe(api, made, "s")
    site.succeed(observation, scanner_type, config, answer)
    row = api.get(f"scanners/{made}/observations/{observation}/").json()
    assert api.get(f"scanners/{made}/observations/").json()["results"] == [row]
    assert sorted(row) == sorted(KEYS)
    assert set(row["scanner_result"]) == {"model_output", "signals_count"}
    assert row["scanner_result"]["model_output"]["scanner_type"] == scanner_type
    return row["scanner_result"]["model_output"]


@pytest.mark.rule("4.2/monitor", "4.2/common", "4.2/segments", "4.1/result")
def test_a_monitor(site: Site, api: httpx.Client) -> None:
    answer = {"reasoning": PROSE, "verdict": "no", "confidence": 0.8}
    assert output(site, api, "monitor", {"prompt": "p"}, answer) == {
        "scanner_type": "monitor",
        "verdict": "no",
        "reasoning": PROSE,
        "reasoning_segments": SEGMENTS,
        "confidence": 0.8,
    }


@pytest.mark.rule("4.2/classifier", "4.2/freeform", "4.2/tags", "4.2/common")
def test_a_classifier(site: Site, api: httpx.Client) -> None:
    """Seven ideas of its own: one is in the vocabulary by slug, one repeats, five are left."""
    config = {"prompt": "p", "tags": VOCABULARY, "allow_freeform_tags": True}
    own = ["Login_Issue", "Slow page", "slow-page", "slow page", "One", "Two 2", "three", "four"]
    answer = {"reasoning": PROSE, "tags": ["login issue", "Payment"], "tags_freeform": own, "confidence": 0}
    assert output(site, api, "classifier", config, answer) == {
        "scanner_type": "classifier",
        "tags": ["login issue", "Payment"],
        "tags_freeform": ["slow_page", "slow-page", "one", "two_2", "three"],
        "reasoning": PROSE,
        "reasoning_segments": SEGMENTS,
        "confidence": 0,
    }


@pytest.mark.rule("4.2/freeform", "3.2/classifier")
def test_a_classifier_without_freeform_tags(site: Site, api: httpx.Client) -> None:
    answer = {"reasoning": "r", "tags": ["other"], "confidence": 1}
    shown = output(site, api, "classifier", {"prompt": "p", "tags": VOCABULARY, "multi_label": False}, answer)
    assert (shown["tags"], shown["tags_freeform"]) == (["other"], [])


@pytest.mark.rule("4.2/scorer", "4.2/score", "4.2/common")
@pytest.mark.parametrize(("extra", "label"), [({"label": "pain"}, "pain"), ({"label": None}, None), ({}, None)])
def test_a_scorer(site: Site, api: httpx.Client, extra: dict[str, Any], label: str | None) -> None:
    config = {"prompt": "p", "scale": {"min": -1, "max": 10.5, **extra}}
    assert output(site, api, "scorer", config, {"reasoning": PROSE, "score": 7.25, "confidence": 0.5}) == {
        "scanner_type": "scorer",
        "score": 7.25,
        "label": label,
        "reasoning": PROSE,
        "reasoning_segments": SEGMENTS,
        "confidence": 0.5,
    }


@pytest.mark.rule("4.2/summarizer", "4.2/facets", "4.2/title", "4.2/common", "4.2/segments")
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            {"intent": "Buy", "outcome": "Left", "friction_points": ["Card REFUSED"], "keywords": ["Card", "Checkout"]},
            {"intent": "Buy", "outcome": "Left", "friction_points": ["card refused"], "keywords": ["card", "checkout"]},
        ),
        ({}, {"intent": "", "outcome": "", "friction_points": [], "keywords": []}),
    ],
)
def test_a_summarizer(site: Site, api: httpx.Client, given: dict[str, Any], shown: dict[str, Any]) -> None:
    answer = {"summary": PROSE, "title": "t" * 120, **given, "confidence": 0.9}
    assert output(site, api, "summarizer", {"prompt": "p"}, answer) == {
        "scanner_type": "summarizer",
        "title": "t" * 120,
        "summary": PROSE,
        "summary_segments": SEGMENTS,
        **shown,
        "confidence": 0.9,
    }


@pytest.mark.rule("4.1/snapshot-corrupt")
@pytest.mark.parametrize("stored", ["null", '"text"', "[]", '{"name": "half of it"}'])
def test_a_snapshot_that_cannot_be_read_is_null(site: Site, api: httpx.Client, stored: str) -> None:
    made = scanner(api, str(uuid4()))["id"]
    row = api.get(f"observations/{observe(api, made, 's')}/").json()
    with site.services.pool.connection() as conn:
        conn.execute(
            "UPDATE read_observations.observation SET scanner_snapshot = %s WHERE id = %s", (stored, row["id"])
        )
    assert api.get(f"observations/{row['id']}/").json() == {**row, "scanner_snapshot": None}
    assert api.get(f"scanners/{made}/observations/").json()["results"] == [{**row, "scanner_snapshot": None}]


@pytest.mark.rule("4.1/triggered-by", "4.1/triggered-by-user", "4.3/triggered-by")
def test_the_schedule_asks_for_nobody(site: Site, api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()))["id"]
    worker = replace(site._worker(), actor=Actor(type="user", user_id=site.user_id))  # noqa: SLF001 - it sweeps
    (asked,) = site.services.observations.request(worker, made, ["by schedule"], "schedule")
    observe(api, made, "by hand")
    site.standing()
    row = api.get(f"observations/{asked.observation_id}/").json()
    assert (row["triggered_by"], row["triggered_by_user"]) == ("schedule", None)
    for trigger, session in (("schedule", "by schedule"), ("on_demand", "by hand")):
        found = api.get(f"scanners/{made}/observations/?triggered_by={trigger}").json()["results"]
        assert [one["session_id"] for one in found] == [session]


@pytest.mark.rule("4.4/retrieve-not-found", "4.3/not-found", "4.3/retrieve-owner")
@pytest.mark.parametrize("bad", ["00000000-0000-4000-8000-000000000000", "nonsense", "stats", "creators"])
def test_unknown_and_malformed_observations_are_404(api: httpx.Client, bad: str) -> None:
    made = scanner(api, str(uuid4()))["id"]
    answers = [api.get(f"observations/{bad}/")]
    if bad != "stats":
        answers.append(api.get(f"scanners/{made}/observations/{bad}/"))
    for answer in answers:
        assert (answer.status_code, answer.json()["detail"]) == (404, "Not found.")


@pytest.mark.rule("4.4/filters-ignored", "4.4/order-by", "4.4/retrieve", "4.1/neighbours-only-there")
def test_a_sessions_list_knows_only_its_order(api: httpx.Client) -> None:
    session = str(uuid4())
    made = scanner(api, str(uuid4()))["id"]
    first, second = observe(api, made, session), observe(api, scanner(api, str(uuid4()))["id"], session)
    observe(api, made, "later")
    for filters in ("status=bogus", "verdict=bogus&triggered_by=bogus", "tags=x&scanner_id=1", "session_ids=x"):
        page = api.get(f"observations/?session_id={session}&{filters}").json()
        assert (page["count"], [row["id"] for row in page["results"]]) == (2, [second, first])
        assert {row["previous_observation_id"] for row in page["results"]} == {None}
    for key in (
        "created_at",
        "started_at",
        "completed_at",
        "status",
        "result_score",
        "result_verdict",
        "scanner_version",
    ):
        for sign in ("", "-"):
            assert api.get(f"observations/?session_id={session}&order_by={sign}{key}").json()["count"] == 2
    assert api.get(f"observations/{first}/?status=bogus&order_by=bogus").json()["previous_observation_id"] is not None
