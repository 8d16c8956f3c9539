"""Whatever a recording holds, evidence is built: what cannot be read is counted, nothing raises."""

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.scanning.evidence import build_evidence
from tests.scanning.recorded import events

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
STRANGE: list[Any] = [
    None,
    True,
    -1,
    10**30,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    {"id": 1},
    [None],
    3,
]
BASE = 1_800_000_000_000


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=3), JSON), max_size=8))
def test_anything_at_all(recording: list[tuple[str, Any]]) -> None:
    assert build_evidence(recording).text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 8), JSON, st.integers(0, 60_000)), max_size=10))
def test_any_data_of_any_type(rows: list[tuple[int, Any, int]]) -> None:
    build_evidence([("w", {"type": kind, "data": data, "timestamp": BASE + offset}) for kind, data, offset in rows])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-1, 17),
            st.dictionaries(
                st.sampled_from(
                    ["id", "type", "x", "y", "text", "isChecked", "adds", "removes", "texts", "attributes", "positions"]
                ),
                JSON,
            ),
        ),
        max_size=10,
    )
)
def test_any_incremental_event(rows: list[tuple[int, dict[str, Any]]]) -> None:
    first = ("w", events("card_declined")[1][1] | {"timestamp": BASE})
    rest = [
        ("w", {"type": 3, "data": {"source": source, **data}, "timestamp": BASE + n * 900})
        for n, (source, data) in enumerate(rows)
    ]
    build_evidence([first, *rest])


def damaged(value: Any, chance: random.Random) -> Any:
    """A copy with some values replaced or left out, at any depth."""
    if chance.random() < 0.02:
        return chance.choice(STRANGE)
    if isinstance(value, dict):
        return {key: damaged(inner, chance) for key, inner in value.items() if chance.random() > 0.02}
    if isinstance(value, list):
        return [damaged(inner, chance) for inner in value if chance.random() > 0.02]
    return value


@pytest.mark.parametrize("seed", range(12))
def test_damaged_recordings(seed: int) -> None:
    chance = random.Random(seed)
    for name in ("card_declined", "slow_export", "search_in_vain_then_found"):
        broken = [(window, damaged(event, chance)) for window, event in copy.deepcopy(events(name))]
        result = build_evidence(broken)
        result.text.encode()
        assert result.duration_ms < 24 * 60 * 60 * 1000


def test_unreadable_events_and_broken_clocks_are_counted() -> None:
    good = [("w", {"type": 4, "data": {"href": "https://a.example/"}, "timestamp": BASE + n}) for n in range(5)]
    bad: list[tuple[str, Any]] = [
        ("w", None),
        ("w", {"type": "x", "timestamp": BASE}),
        ("w", {"type": 3, "data": {}}),
        ("w", {"type": 3, "data": {}, "timestamp": 17}),
    ]
    result = build_evidence(good + bad)
    assert result.skipped_events == 4
    assert result.duration_ms == 4
    assert "4 events could not be read" in result.text
