"""Contract 4.5: rounding, percentiles and buckets, figure by figure."""

import math
from statistics import quantiles
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from projections.queries.observation_stats import Buckets
from tests.contract.site import Site, observe, scanner


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


def stats(api: httpx.Client, scanner_id: str, query: str = "") -> dict[str, Any]:
    return api.get(f"scanners/{scanner_id}/observations/stats/?{query}").json()


@pytest.mark.rule("4.5/half-to-even", "4.5/success-rate", "4.5/in-flight")
@pytest.mark.parametrize(
    ("succeeded", "failed", "percent"), [(1, 7, 12), (3, 5, 38), (1, 2, 33), (2, 1, 67), (0, 1, 0)]
)
def test_half_a_percent_goes_to_the_even_neighbour(
    site: Site, api: httpx.Client, succeeded: int, failed: int, percent: int
) -> None:
    made = scanner(api, str(uuid4()))["id"]
    ids = [observe(api, made, f"s-{number}") for number in range(succeeded + failed + 1)]
    for row in ids[:succeeded]:
        site.succeed(row, "monitor", {"prompt": "p"}, {"reasoning": "r", "verdict": "yes", "confidence": 1})
    for row in ids[succeeded:-1]:
        site.fail(row)
    assert stats(api, made)["status_counts"] == {
        "total": succeeded + failed + 1,
        "succeeded": succeeded,
        "failed": failed,
        "ineligible": 0,
        "in_flight": 1,
        "success_rate": percent,
    }


def scorer(site: Site, api: httpx.Client, scale: dict[str, float], scores: list[float]) -> str:
    config: dict[str, Any] = {"prompt": "p", "scale": scale}
    made: str = scanner(api, str(uuid4()), scanner_type="scorer", scanner_config=config)["id"]
    for number, score in enumerate(scores):
        answer = {"reasoning": "r", "score": score, "confidence": 1}
        site.succeed(observe(api, made, f"s-{number}"), "scorer", config, answer)
    return made


@pytest.mark.rule("4.5/percentiles", "4.5/histogram-rounding", "4.5/histogram-labels")
def test_percentiles_and_half_scores(site: Site, api: httpx.Client) -> None:
    scores = [0.5, 1.5, 2.5, 9.5]
    found = stats(api, scorer(site, api, {"min": 0, "max": 10}, scores))["scorer"]
    low, middle, high = quantiles(scores, n=4, method="inclusive")
    assert found["summary"] == {
        "min": 0.5, "p25": low, "median": middle, "mean": 3.5, "p75": high, "max": 9.5, "count": 4,
    }  # fmt: skip
    assert found["histogram"]["labels"] == [str(number) for number in range(11)]
    assert found["histogram"]["counts"] == [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], "0.5 to 0, 1.5 and 2.5 to 2, 9.5 to 10"


@pytest.mark.rule("4.5/scores-numeric", "4.5/succeeded-only", "4.5/scorer-null", "4.3/order-missing")
def test_rows_without_a_number_are_passed_over(site: Site, api: httpx.Client) -> None:
    """As an older version may have left them: succeeded, and no score."""
    made = scorer(site, api, {"min": 0, "max": 10}, [3, 4])
    with site.services.pool.connection() as conn:
        conn.execute(
            "UPDATE read_observations.observation SET score = NULL WHERE scanner_id = %s AND session_id = 's-0'",
            (made,),
        )
    found = stats(api, made)
    assert (found["status_counts"]["succeeded"], found["scorer"]["summary"]["count"]) == (2, 1)
    assert sum(found["scorer"]["histogram"]["counts"]) == 1
    assert stats(api, made, "session_id=s-0")["scorer"] == {"summary": None, "histogram": None}
    for direction in ("", "-"):
        rows = api.get(f"scanners/{made}/observations/?order_by={direction}result_score").json()["results"]
        assert rows[-1]["session_id"] == "s-0"


@pytest.mark.rule("4.5/histogram-scale")
def test_without_a_scale_the_observed_ends_are_taken(site: Site, api: httpx.Client) -> None:
    """As an older version may have left them: a scorer that has no scale."""
    made = scorer(site, api, {"min": 0, "max": 100}, [2.4, 4.2])
    with site.services.pool.connection() as conn:
        conn.execute("UPDATE read_scanners.scanner SET scanner_config = %s WHERE id = %s", ('{"prompt": "p"}', made))
    assert stats(api, made)["scorer"]["histogram"] == {"labels": ["2", "3", "4", "5"], "counts": [1, 0, 1, 0]}


@pytest.mark.rule("4.5/succeeded-only", "4.5/ranked", "4.5/total-with-tags", "4.5/available-tags")
def test_rankings_are_those_of_the_filtered_rows_with_ties_by_tag(site: Site, api: httpx.Client) -> None:
    config: dict[str, Any] = {"prompt": "p", "tags": ["b", "a", "C"], "allow_freeform_tags": True}
    made = scanner(api, str(uuid4()), scanner_type="classifier", scanner_config=config)["id"]
    for number, (tags, own) in enumerate([(["b", "a"], ["y"]), (["C"], ["x"]), (["b"], [])]):
        answer = {"reasoning": "r", "tags": tags, "tags_freeform": own, "confidence": 1}
        site.succeed(observe(api, made, f"c-{number}"), "classifier", config, answer)
    site.fail(observe(api, made, "failed"))
    found = stats(api, made)
    assert found["classifier"] == {
        "fixed_ranked": [{"tag": "b", "count": 2}, {"tag": "C", "count": 1}, {"tag": "a", "count": 1}],
        "freeform_ranked": [{"tag": "x", "count": 1}, {"tag": "y", "count": 1}],
        "total_with_tags": 3,
    }
    assert found["available_tags"] == ["C", "a", "b", "x", "y"]
    narrowed = stats(api, made, "session_id=c-0,failed")
    assert narrowed["available_tags"] == ["a", "b", "y"]
    assert (narrowed["classifier"]["total_with_tags"], narrowed["status_counts"]["total"]) == (1, 2)


def by_the_contract(smallest: float, largest: float) -> list[str]:
    low, high = math.floor(smallest), math.ceil(largest)
    span = high - low
    width = max(1, math.ceil((span + 1) / 21))
    starts = [low + bucket * width for bucket in range(span // width + 1)]
    return [str(start) if width == 1 else f"{start}–{min(start + width - 1, high)}" for start in starts]


@pytest.mark.rule("4.5/histogram-width", "4.5/histogram-labels")
@given(st.floats(-1000, 1000), st.floats(0.001, 1000))
@example(0, 100)
@example(0, 1)
@example(0, 10)
def test_buckets_are_those_of_the_contract(smallest: float, span: float) -> None:
    assert Buckets.over(smallest, smallest + span).labels == by_the_contract(smallest, smallest + span)
