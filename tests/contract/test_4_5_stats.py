"""Contract 4.5: what a scanner's observations add up to."""

from __future__ import annotations

from statistics import mean
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.http.routes.stats import recent_days
from projections.queries.observation_stats import Buckets
from tests.contract.site import Site, observe, refusal, scanner


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


def stats(api: httpx.Client, scanner_id: str, query: str = "") -> dict[str, Any]:
    response = api.get(f"scanners/{scanner_id}/observations/stats/?{query}")
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture(scope="module")
def monitor(site: Site, api: httpx.Client) -> str:
    config: dict[str, Any] = {"prompt": "p", "allow_inconclusive": True}
    made = scanner(api, str(uuid4()), scanner_config=config)["id"]
    names = ("pending", "running", "failed", "ineligible", "yes", "yes too", "no", "unsure")
    ids = {name: observe(api, made, f"m-{name}") for name in names}
    site.start(ids["running"])
    site.fail(ids["failed"])
    site.judge_ineligible(ids["ineligible"])
    verdicts = {"yes": "yes", "yes too": "yes", "no": "no", "unsure": "inconclusive"}
    for name, verdict in verdicts.items():
        site.succeed(ids[name], "monitor", config, {"reasoning": "r", "verdict": verdict, "confidence": 1})
    return made


@pytest.mark.rule("4.5/in-flight", "4.5/success-rate", "4.5/types", "4.5/succeeded-only")
def test_4_5_of_a_monitor(api: httpx.Client, monitor: str) -> None:
    assert stats(api, monitor) == {
        "status_counts": {
            "total": 8,
            "succeeded": 4,
            "failed": 1,
            "ineligible": 1,
            "in_flight": 2,
            "success_rate": 80,
        },
        "coverage": {"recent_sessions": 8, "total_sessions": 8, "recent_days": 14},
        "available_tags": [],
        "monitor": {"yes_total": 2, "no_total": 1, "inconclusive_total": 1},
        "classifier": None,
        "scorer": None,
    }


@pytest.mark.rule("4.5/filters", "4.5/no-pages", "4.5/coverage", "4.5/success-rate-null")
@pytest.mark.parametrize(
    ("query", "total", "yes"),
    [
        ("verdict=yes", 2, 2),
        ("status=succeeded,failed", 5, 2),
        ("session_id=m-no,m-yes", 2, 1),
        ("triggered_by=schedule", 0, 0),
        ("limit=1&offset=7", 8, 2),
    ],
)
def test_4_5_filters_are_those_of_the_list(api: httpx.Client, monitor: str, query: str, total: int, yes: int) -> None:
    found = stats(api, monitor, query)
    assert (found["status_counts"]["total"], found["monitor"]["yes_total"]) == (total, yes)
    assert found["coverage"]["total_sessions"] == total
    if not total:
        assert found["status_counts"]["success_rate"] is None


@pytest.mark.rule("4.5/filters", "4.5/order-checked")
@pytest.mark.parametrize(
    ("query", "attr"), [("status=bogus", "status"), ("verdict=maybe", "verdict"), ("order_by=colour", "order_by")]
)
def test_4_5_bad_filters_are_told(api: httpx.Client, monitor: str, query: str, attr: str) -> None:
    answer = api.get(f"scanners/{monitor}/observations/stats/?{query}")
    assert refusal(answer) == (400, "validation_error", "invalid_input", attr)


@pytest.mark.rule("4.5/recent-days")
@pytest.mark.parametrize(
    ("given", "days"),
    [("", 14), ("30", 30), ("0", 1), ("-5", 1), ("366", 365), ("9" * 5_000, 365), ("7.5", 14), ("x", 14), ("٣", 14)],
)
def test_4_5_recent_days_are_clamped(api: httpx.Client, monitor: str, given: str, days: int) -> None:
    assert recent_days(given) == days
    if len(given) < 100:
        assert stats(api, monitor, f"recent_days={given}")["coverage"]["recent_days"] == days


@pytest.mark.rule("4.5/coverage-recent")
def test_4_5_recent_is_counted_from_creation(site: Site, api: httpx.Client, monitor: str) -> None:
    with site.services.pool.connection() as conn:
        conn.execute(
            "UPDATE read_observations.observation SET created_at = created_at - interval '3 days'"
            " WHERE scanner_id = %s AND session_id = 'm-no'",
            (monitor,),
        )
    assert stats(api, monitor, "recent_days=2")["coverage"] == {
        "recent_sessions": 7,
        "total_sessions": 8,
        "recent_days": 2,
    }
    assert stats(api, monitor, "recent_days=4")["coverage"]["recent_sessions"] == 8


@pytest.mark.rule("4.5/ranked", "4.5/total-with-tags", "4.5/available-tags", "4.5/types")
def test_4_5_of_a_classifier(site: Site, api: httpx.Client) -> None:
    vocabulary = [f"tag {letter}" for letter in "abcdefghijkl"]
    config: dict[str, Any] = {"prompt": "p", "tags": vocabulary, "allow_freeform_tags": True}
    made = scanner(api, str(uuid4()), scanner_type="classifier", scanner_config=config)["id"]
    assert stats(api, made)["classifier"] == {"fixed_ranked": [], "freeform_ranked": [], "total_with_tags": 0}
    answers = [(vocabulary, ["slow page"]), (["tag l", "tag b"], ["slow page", "another"]), (["tag l"], [])]
    for number, (own, free) in enumerate(answers):
        answer = {"reasoning": "r", "tags": own, "tags_freeform": free, "confidence": 1}
        site.succeed(observe(api, made, f"c-{number}"), "classifier", config, answer)
    found = stats(api, made)
    ranked = found["classifier"]["fixed_ranked"]
    assert len(ranked) == 10
    assert ranked[:3] == [{"tag": "tag l", "count": 3}, {"tag": "tag b", "count": 2}, {"tag": "tag a", "count": 1}]
    assert found["classifier"]["freeform_ranked"] == [{"tag": "slow_page", "count": 2}, {"tag": "another", "count": 1}]
    assert found["classifier"]["total_with_tags"] == 3
    assert found["available_tags"] == ["another", "slow_page", *vocabulary]
    assert (found["monitor"], found["scorer"]) == (None, None)
    assert stats(api, made, "tags=slow_page")["classifier"]["total_with_tags"] == 2


@pytest.mark.rule(
    "4.5/scorer-null",
    "4.5/percentiles",
    "4.5/histogram-scale",
    "4.5/histogram-rounding",
    "4.5/histogram-clamped",
    "4.5/histogram-labels",
    "10/19",
)
def test_4_5_of_a_scorer(site: Site, api: httpx.Client) -> None:
    config: dict[str, Any] = {"prompt": "p", "scale": {"min": 0, "max": 100}}
    made = scanner(api, str(uuid4()), scanner_type="scorer", scanner_config=config)["id"]
    observe(api, made, "s-pending")
    assert stats(api, made)["scorer"] == {"summary": None, "histogram": None}
    scores = [0, 4.5, 4.6, 50, 99, 100, 12.25]
    for number, score in enumerate(scores):
        answer = {"reasoning": "r", "score": score, "confidence": 1}
        site.succeed(observe(api, made, f"s-{number}"), "scorer", config, answer)
    found = stats(api, made)["scorer"]
    assert found["summary"] == {
        "min": 0,
        "p25": _percentile(scores, 0.25),
        "median": 12.25,
        "mean": pytest.approx(mean(scores)),
        "p75": _percentile(scores, 0.75),
        "max": 100,
        "count": 7,
    }
    assert found["histogram"]["labels"][:2] + found["histogram"]["labels"][-2:] == ["0–4", "5–9", "95–99", "100–100"]
    counts = dict(zip(found["histogram"]["labels"], found["histogram"]["counts"], strict=True))
    # 4.5 goes to the even 4.
    assert {label: count for label, count in counts.items() if count} == {
        "0–4": 2,
        "5–9": 1,
        "10–14": 1,
        "50–54": 1,
        "95–99": 1,
        "100–100": 1,
    }
    # Today's scale cuts, and what is outside of it goes to the ends.
    api.patch(f"scanners/{made}/", json={"scanner_config": {"prompt": "p", "scale": {"min": 10, "max": 12}}})
    assert stats(api, made)["scorer"]["histogram"] == {"labels": ["10", "11", "12"], "counts": [3, 0, 4]}


def _percentile(values: list[float], share: float) -> Any:
    """Linear interpolation between the neighbours."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    return pytest.approx(ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]))


@pytest.mark.rule("4.5/histogram-width", "4.5/histogram-labels", "10/19")
@pytest.mark.parametrize(
    ("smallest", "largest", "labels"),
    [
        (0, 10, [str(n) for n in range(11)]),
        (0, 1, ["0", "1"]),
        (0.2, 2.3, ["0", "1", "2", "3"]),
        (0, 20, [str(n) for n in range(21)]),
        (0, 21, [f"{n}–{n + 1}" for n in range(0, 22, 2)]),
        (-5, 5, [str(n) for n in range(-5, 6)]),
    ],
)
def test_4_5_buckets(smallest: float, largest: float, labels: list[str]) -> None:
    assert Buckets.over(smallest, largest).labels == labels


def test_4_5_buckets_of_a_scale_without_measure() -> None:
    assert len(Buckets.over(-1e300, 1e300).labels) <= 21


@pytest.mark.rule("4.5/types", "4.5/success-rate-null")
def test_4_5_of_a_summarizer_there_are_only_counts(api: httpx.Client) -> None:
    made = scanner(api, str(uuid4()), scanner_type="summarizer", scanner_config={"prompt": "p"})["id"]
    found = stats(api, made)
    assert (found["monitor"], found["classifier"], found["scorer"], found["available_tags"]) == (None, None, None, [])
    assert found["status_counts"]["success_rate"] is None


def test_4_5_of_others_is_not_found(site: Site, api: httpx.Client, monitor: str) -> None:
    for client, scanner_id in ((api, uuid4()), (api, "nonsense"), (site.client(environment=site.sibling_id), monitor)):
        answer = client.get(f"scanners/{scanner_id}/observations/stats/")
        assert refusal(answer) == (404, "invalid_request", "not_found", None)
