from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from consumers.transports.headers import pack, unpack
from consumers.transports.poison import PoisonCap, Tally, admit
from consumers.transports.port import Record

NAMES = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(NAMES, st.binary(max_size=60), max_size=8))
def test_headers_come_back_as_they_were(headers: dict[str, bytes]) -> None:
    packed = pack(headers)
    assert "\\u0000" not in packed  # which jsonb refuses
    assert unpack(packed) == headers


def _batch(count: int) -> list[Record]:
    return [Record("t", 0, n, None, b"", {}, datetime(2026, 11, 23, tzinfo=UTC)) for n in range(count)]


@given(st.sets(st.integers(0, 59)), st.integers(0, 10), st.integers(1, 60))
def test_how_a_topic_is_cut_into_batches_does_not_change_where_it_stops(poison: set[int], cap: int, size: int) -> None:
    rule = PoisonCap(in_a_row=cap, share=0.5, window=10)
    records, start = _batch(60), Tally(0, 0, 0)
    whole = admit(records, poison, start, rule)
    done, tally, stop = 0, start, None
    while done < len(records) and stop is None:
        part = admit(records[done : done + size], poison, tally, rule)
        done, tally, stop = done + len(part.records), part.tally, part.stop
    assert (done, tally, stop) == (len(whole.records), whole.tally, whole.stop)


@given(st.sets(st.integers(0, 59)), st.integers(0, 10))
def test_never_more_in_a_row_than_the_cap(poison: set[int], cap: int) -> None:
    admitted = admit(_batch(60), poison, Tally(0, 0, 0), PoisonCap(in_a_row=cap, share=1.0))
    marks = "".join("x" if record.offset in poison else "." for record in admitted.records)
    assert "x" * (cap + 1) not in marks
    assert (admitted.stop is None) == (len(marks) == 60)
