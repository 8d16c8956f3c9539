from hypothesis import given
from hypothesis import strategies as st

from consumers.capture.digest.activity import GAP_MS, Activity, activity
from tests.capture.plain_facts import active_milliseconds

Moments = list[tuple[int, bool]]

moments = st.lists(st.tuples(st.integers(1, 60_000), st.booleans()), max_size=40)


@given(moments)
def test_it_is_the_rule_over_the_whole_session(events: Moments) -> None:
    assert activity(events).milliseconds == active_milliseconds(events)


@given(moments, moments, moments)
def test_grouping_order_and_repetition_change_nothing(one: Moments, two: Moments, three: Moments) -> None:
    whole = activity(one + two + three)
    a, b, c = activity(one), activity(two), activity(three)
    assert a.merge(b).merge(c) == whole
    assert b.merge(c, a, b) == whole
    assert c.merge(a.merge(b)) == whole
    assert whole.merge(b) == whole
    assert Activity().merge(whole) == whole


def test_a_single_click_is_one_millisecond() -> None:
    assert activity([(1_000, True)]).milliseconds == 1


def test_an_inactive_event_extends_a_burst_for_five_seconds() -> None:
    assert activity([(0, True), (GAP_MS, False)]).milliseconds == GAP_MS
    assert activity([(0, True), (GAP_MS + 1, False)]).milliseconds == 1
    assert activity([(0, False), (1_000, True), (2_000, True)]).milliseconds == 1_000


@given(moments, st.lists(st.integers(1, 60_000), max_size=4))
def test_cut_in_pieces_it_loses_nothing(events: Moments, places: list[int]) -> None:
    whole = activity(events)
    inside = [place for place in sorted(places) if not any(first < place <= last for first, last in whole.bursts)]
    pieces = whole.cut(inside)
    assert len(pieces) == len(inside) + 1
    joined = Activity()
    for piece in pieces:
        joined = joined.merge(piece)
    assert joined == whole
