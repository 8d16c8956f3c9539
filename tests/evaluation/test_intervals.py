"""Statistics against values worked out by hand, and what must hold for all of them."""

import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.evaluation.intervals import agreement, bootstrap, percentile, wilson


@pytest.mark.parametrize(
    ("successes", "cases", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilson(successes: int, cases: int, low: float, high: float) -> None:
    assert wilson(successes, cases) == pytest.approx((low, high), abs=1e-4)


def test_no_case_no_interval() -> None:
    assert wilson(0, 0) is None
    assert bootstrap([], statistics.fmean) is None
    assert bootstrap([1.0], lambda _: None) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_narrows_with_more_cases(given_: tuple[int, int]) -> None:
    successes, cases = given_
    one, more = wilson(successes, cases), wilson(successes * 4, cases * 4)
    assert one is not None
    assert more is not None
    assert 0 <= one.low <= successes / cases <= one.high <= 1
    assert more.high - more.low < one.high - one.low


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=60))
def test_percentiles_are_those_of_the_standard_library(values: list[float]) -> None:
    expected = statistics.quantiles(values, n=20, method="inclusive")
    assert percentile(values, 95) == pytest.approx(expected[18])
    assert percentile(values, 50) == pytest.approx(statistics.median(values))


def test_a_bootstrap_is_the_same_every_time_and_holds_the_mean() -> None:
    def mean(drawn: Sequence[float]) -> float:
        return sum(drawn) / len(drawn)

    found = bootstrap([0.0, 1.0] * 20, mean)
    assert found == bootstrap([0.0, 1.0] * 20, mean)
    assert found is not None
    assert 0.3 < found.low < 0.5 < found.high < 0.7


def test_agreement_is_the_share_of_equal_pairs() -> None:
    assert agreement(["yes"]) is None
    assert agreement(["yes", "yes", "no"]) == pytest.approx(1 / 3)
    assert agreement(["yes"] * 5) == 1
    assert agreement(["a", "b", "c"]) == 0
