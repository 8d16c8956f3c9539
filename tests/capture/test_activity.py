from hypothesis import given
from hypothesis import strategies as st

from consumers.capture.activity import GAP_MS, Activity, activity

Moments = list[tuple[int, bool]]

moments = st.lists(st.tuples(st.integers(1, 60_000), st.booleans()), max_size=40)


def by_the_rule(events: Moments) -> int:
    """Capture 5, word by word, over the sorted events of the whole session.

    Where times are equal active ones come first: the rule leaves that open, and the sum is the same.
    """
    total, start, end, active, last_active = 0, 0, 0, False, 0
    segments: list[tuple[int, int, bool]] = []
    for index, (moment, is_active) in enumerate(sorted(events, key=lambda event: (event[0], not event[1]))):
        starts = index == 0 or (is_active and not active) or (active and moment - last_active > GAP_MS)
        if starts and index:
            segments.append((start, end, active))
        if starts:
            start, active = moment, is_active
        end = moment
        if is_active:
            last_active = moment
    if events:
        segments.append((start, end, active))
    for first, last, was_active in segments:
        total += max(1, last - first) if was_active else 0
    return total


@given(moments)
def test_it_is_the_rule_over_the_whole_session(events: Moments) -> None:
    assert activity(events).milliseconds == by_the_rule(events)


@given(moments, moments, moments)
def test_grouping_order_and_repetition_change_nothing(one: Moments, two: Moments, three: Moments) -> None:
    whole = activity(one + two + three)
    a, b, c = activity(one), activity(two), activity(three)
    assert a.merge(b).merge(c) == whole
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
