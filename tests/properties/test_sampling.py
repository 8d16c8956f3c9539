"""Sampling: deterministic, salted by scanner, monotone in the rate, close to the rate."""

from hashlib import sha256
from uuid import UUID, uuid5

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.sampling import BUCKETS, sampled

SCANNER, OTHER = UUID(int=1), UUID(int=2)
SESSION_IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=128)
SESSIONS = [f"session-{number}" for number in range(20_000)]


def bucket(scanner: UUID, session: str) -> int:
    return int.from_bytes(sha256(f"{scanner}:{session}".encode()).digest()[:8], "big") % BUCKETS


@given(st.uuids(), SESSION_IDS, st.floats(0, 1), st.floats(0, 1))
def test_raising_the_rate_only_adds_sessions(scanner: UUID, session: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert sampled(scanner, session, high) >= sampled(scanner, session, low)


@pytest.mark.rule("3.4/rate-zero")
@given(st.uuids(), SESSION_IDS)
def test_nought_takes_none_and_one_takes_all(scanner: UUID, session: str) -> None:
    assert not sampled(scanner, session, 0)
    assert sampled(scanner, session, 1)


@pytest.mark.rule("trap/33")
@given(st.integers(1, BUCKETS))
@example(2900)
@example(5700)  # 0.57 x 10,000 is 5699.99... in floating point
@example(1)
def test_a_rate_takes_exactly_its_buckets(threshold: int) -> None:
    rate = threshold / BUCKETS
    for session in SESSIONS[:200]:
        assert sampled(SCANNER, session, rate) is (bucket(SCANNER, session) < threshold)


@pytest.mark.rule("trap/33")
def test_the_last_bucket_of_a_rate_that_floating_point_misses_is_taken() -> None:
    session = next(s for s in (f"s{n}" for n in range(10**6)) if bucket(SCANNER, s) == 5699)
    assert sampled(SCANNER, session, 0.57)
    assert not sampled(SCANNER, session, 0.5699)


@pytest.mark.rule("trap/33")
def test_every_rate_that_floating_point_misses_takes_its_last_bucket() -> None:
    missed = {number for number in range(1, BUCKETS + 1) if int(number / BUCKETS * BUCKETS) < number}
    assert len(missed) > 100
    number = 0
    while missed:
        threshold = bucket(SCANNER, f"s{number}") + 1
        if threshold in missed:
            assert sampled(SCANNER, f"s{number}", threshold / BUCKETS), threshold
            missed.remove(threshold)
        number += 1


def test_the_share_is_close_to_the_rate() -> None:
    for rate in (0.01, 0.1, 0.29, 0.5, 0.9):
        share = sum(sampled(SCANNER, session, rate) for session in SESSIONS) / len(SESSIONS)
        assert abs(share - rate) < 5 * (rate * (1 - rate) / len(SESSIONS)) ** 0.5


def test_two_scanners_take_different_sessions() -> None:
    both = sum(sampled(SCANNER, s, 0.5) and sampled(OTHER, s, 0.5) for s in SESSIONS) / len(SESSIONS)
    assert abs(both - 0.25) < 0.02


def test_the_choice_never_changes() -> None:
    """Frozen: another hash would rescan what was passed over and pass over what was scanned."""
    namespace = UUID(int=0)
    chosen = [number for number in range(40) if sampled(uuid5(namespace, "scanner"), f"session-{number}", 0.25)]
    assert chosen == [7, 9, 11, 13, 15, 18, 30, 31, 37, 38]
