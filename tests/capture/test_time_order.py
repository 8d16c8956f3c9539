"""Batches in any overlap come back in one order of time, whether they fit into memory or not."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.capture.reading.recording import recording_in_time
from consumers.capture.reading.time_order import Batch, in_time_order, moments_of, upper_median
from consumers.scanning.evidence import build_evidence
from tests.capture.arrival import recording
from tests.capture.traffic import ENVIRONMENT, EXPECTED, Capture, click, recorded, snapshot

BASE = 1_795_500_000_000
SAMPLES = [name for name in EXPECTED if name.startswith("tests/recordings/")]

times = st.integers(1, 60)
forms = st.sampled_from(
    [
        lambda at, n: {"type": 3, "data": {"n": n}, "timestamp": at},
        lambda at, n: {"timestamp": at, "type": 3, "data": {"n": n}},
        lambda at, n: {"type": 5, "data": {"payload": '{"timestamp":9}]', "timestamp": 8, "n": n}, "timestamp": at},
        lambda at, n: {"type": 5, "timestamp": at + 0.5, "data": {"n": n, "deeper": [{"timestamp": 7}]}},
    ]
)
no_events = st.sampled_from([{"type": 3}, "junk", 5, [{"timestamp": 3}], {"type": 3, "timestamp": 0}])


def batches_of(drawn: list[list[Any]]) -> tuple[list[Batch], list[tuple[int, int, int]]]:
    """The batches in the order that `in_time_order` asks for, and (time, arrival, place) of every event, sorted."""
    batches: list[Batch] = []
    events: list[tuple[int, int, int]] = []
    for arrival, items in enumerate(drawn):
        made = [
            item[0](item[1], [arrival, place]) if isinstance(item, tuple) else item for place, item in enumerate(items)
        ]
        found = [(item[1], arrival, place) for place, item in enumerate(items) if isinstance(item, tuple)]
        if found:
            batches.append(Batch(min(found)[0], arrival, b"".join(orjson.dumps(["w", m]) + b"\n" for m in made)))
            events += found
    return sorted(batches), sorted(events)


def test_what_is_packed_in_a_batch_shares_its_room_when_times_are_looked_for() -> None:
    events = [{"type": 4, "timestamp": at, "data": "0" * 20_000_000} for at in range(1, 10)]
    lines = [orjson.dumps(["w", zlib.compress(orjson.dumps(event)).decode("latin-1")]) for event in events]
    batch = Batch(1, 1, b"\n".join(lines))
    assert list(moments_of([batch])) == [1, 2, 3, 4, 5, 6]
    assert len(list(in_time_order([batch]))) == 6


@given(
    drawn=st.lists(st.lists(st.tuples(forms, times) | no_events, max_size=8), max_size=8), held=st.integers(0, 4_000)
)
@settings(max_examples=150, deadline=None)
def test_any_overlap_in_any_memory(drawn: list[list[Any]], held: int) -> None:
    batches, wanted = batches_of(drawn)
    given_out: list[tuple[int, int, int]] = []
    for line in in_time_order(batches, held):
        event = orjson.loads(line)[1]
        arrival, place = event["data"]["n"]
        given_out.append((int(event["timestamp"]), arrival, place))
    assert given_out == wanted
    assert upper_median(moments_of(batches)) == (wanted[len(wanted) // 2][0] if wanted else None)


def test_everything_overlaps_and_memory_stays_bounded() -> None:
    """24 MB in 120 batches that all reach from the first to the last moment, with 2 MB to hold lines in."""
    text = "x" * 1_000

    def overlapping() -> Iterator[Batch]:
        for arrival in range(120):
            lines = (
                orjson.dumps(["w", {"type": 3, "data": text, "timestamp": BASE + n * 120 + arrival}])
                for n in range(200)
            )
            yield Batch(BASE + arrival, arrival, b"\n".join(lines))

    tracemalloc.start()
    last = count = 0
    for line in in_time_order(overlapping(), 2 * 1024 * 1024):
        at = orjson.loads(line)[1]["timestamp"]
        assert at > last
        last, count = at, count + 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 24_000
    assert peak < 8 * 1024 * 1024


def test_read_back_in_order_of_time_is_read_back_and_sorted(capture: Capture) -> None:
    """Every committed recording, all in one environment; the evidence is the same whichever way it is read."""
    for name in SAMPLES:
        capture.handle(recorded(name))
        session_id = EXPECTED[name]["session_id"]
        with capture.pool.connection() as conn:
            arrived = list(recording(conn, capture.blobs, ENVIRONMENT, session_id))
            timed = list(recording_in_time(conn, capture.blobs, ENVIRONMENT, session_id).events)
            evidence = build_evidence(recording_in_time(conn, capture.blobs, ENVIRONMENT, session_id))
        assert timed == sorted(arrived, key=lambda pair: int(pair[1]["timestamp"])), name  # type: ignore[call-overload]
        assert evidence == build_evidence(arrived)


def test_broken_clocks_and_late_batches_of_two_windows(capture: Capture) -> None:
    """Batches of one session in an order that is not that of time, one item 30 years off."""
    for start in (40, 0, 20):
        for window in ("w-2", "w-1"):
            items = [click(BASE + (start + n) * 1_000) for n in range(20)]
            capture.capture(snapshot(items, "s", f"{window} {start}", window_id=window))
    capture.capture(snapshot([click(BASE - 30 * 365 * 86_400_000), click(BASE + 500)], "s", "off"))
    with capture.pool.connection() as conn:
        arrived = list(recording(conn, capture.blobs, ENVIRONMENT, "s"))
        found = recording_in_time(conn, capture.blobs, ENVIRONMENT, "s")
        assert found.windows == ("w-2", "w-1")
        assert found.middle == BASE + 29_000
        evidence = build_evidence(found)
    assert evidence == build_evidence(arrived)
    assert evidence.skipped_events == 1
    assert evidence.duration_ms == 59_000
    assert evidence.started_at_ms == BASE


def test_a_session_of_many_batches_is_looked_up_in_pages(capture: Capture) -> None:
    moments = [BASE + n * 7 % 400 for n in range(1_100)]
    capture.capture(*(snapshot([click(at)], "s", f"batch {n}", window_id=f"w{n}") for n, at in enumerate(moments)))
    with capture.pool.connection() as conn:
        events = list(recording_in_time(conn, capture.blobs, ENVIRONMENT, "s").events)
    assert [event["timestamp"] for _, event in events] == sorted(moments)
    assert [window for window, _ in events] == [f"w{n}" for n in sorted(range(1_100), key=lambda n: (moments[n], n))]


def test_bombs_in_many_batches_share_the_room_of_their_recording(capture: Capture) -> None:
    """What a session may unpack to goes by what is stored of it, however many batches it came in."""
    packed = gzip.compress(b'"' + b"a" * 5_000_000 + b'"').decode("latin-1")
    bombs = [[{"type": 2, "data": packed, "timestamp": BASE + n}] for n in range(40)]
    capture.capture(*(snapshot([*items], "s", f"batch {n}") for n, items in enumerate(bombs)))
    with capture.pool.connection() as conn:
        found = [
            len(str(event["data"])) for _, event in recording_in_time(conn, capture.blobs, ENVIRONMENT, "s").events
        ]
    assert found == [5_000_000] * 26 + [len(packed)] * 14  # inflate.MAX_PART_BYTES is 128 MB
