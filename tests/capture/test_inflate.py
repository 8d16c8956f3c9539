import gzip
import json
import time
import zlib
from datetime import UTC, datetime

import pytest

from consumers.capture.posting.posted import MAX_ITEMS, accept
from consumers.capture.wire import inflate
from consumers.capture.wire.encodings import Json
from consumers.capture.wire.inflate import Room, inflate_event, unpack
from consumers.capture.wire.readable import readable
from consumers.capture.wire.refusals import CaptureRefused, TooLarge


def packed(value: Json) -> str:
    return gzip.compress(json.dumps(value).encode(), mtime=0).decode("latin-1")


def test_a_full_snapshot_is_one_packed_field() -> None:
    data: Json = {"node": {"type": 0, "childNodes": []}}
    event: dict[str, Json] = {"type": 2, "cv": "2024-10", "data": packed(data), "timestamp": 1}
    assert inflate_event(event) == {**event, "data": data}


@pytest.mark.parametrize(
    ("source", "names"), [(0, ("texts", "attributes", "removes", "adds")), (8, ("adds", "removes"))]
)
def test_fields_of_a_mutation_are_packed_one_by_one(source: int, names: tuple[str, ...]) -> None:
    plain: dict[str, Json] = {name: [{"id": index}] for index, name in enumerate(names)}
    data: dict[str, Json] = {"source": source, **{name: packed(value) for name, value in plain.items()}}
    data[names[0]] = plain[names[0]]  # the SDK falls back to plain for single fields
    assert inflate_event({"type": 3, "data": data}) == {"type": 3, "data": {"source": source, **plain}}


def test_text_that_is_not_packed_stays() -> None:
    event: dict[str, Json] = {"type": 3, "data": {"source": 5, "text": "\x1f\x8b not gzip", "adds": "x"}}
    assert inflate_event(event) is event


@pytest.mark.parametrize("damaged", ["\x1f\x8bjunk", packed([1])[:-4], "\x1f\x8b漢字", "x junk"])
def test_a_damaged_field_stays_and_the_others_are_unpacked(damaged: str) -> None:
    event: dict[str, Json] = {"type": 3, "data": {"source": 0, "adds": damaged, "texts": packed([1])}}
    assert inflate_event(event) == {"type": 3, "data": {"source": 0, "adds": damaged, "texts": [1]}}


def test_a_bomb_in_a_field_stays_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "MAX_FIELD_BYTES", 1_000)
    bomb = packed("0" * 1_000_000)
    event: dict[str, Json] = {"type": 2, "data": bomb}
    assert inflate_event(event) == {"type": 2, "data": bomb}


def test_many_small_bombs_share_one_room() -> None:
    bomb: dict[str, Json] = {"type": 2, "data": packed("0" * 100_000)}
    damaged: dict[str, Json] = {"type": 2, "data": packed("0" * 100_000)[:-9]}
    room = Room(350_000)
    found = [inflate_event(event, room)["data"] for event in (bomb, damaged, bomb, bomb)]
    assert [data == "0" * 100_000 for data in found] == [True, False, True, False]
    assert room.left < 100_000


def test_pack_fn_makes_a_whole_event_a_string() -> None:
    event = {"type": 4, "data": {"href": "http://shop.test/"}, "timestamp": 1, "v": "v1"}
    assert unpack(zlib.compress(json.dumps(event).encode()).decode("latin-1")) == event


@pytest.mark.parametrize("item", [None, 1, [], "", "plain text", "漢字", zlib.compress(b"[1]").decode("latin-1")])
def test_what_is_no_event_is_refused(item: Json) -> None:
    with pytest.raises(CaptureRefused):
        unpack(item)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("bits", range(9, 16))
def test_events_packed_with_any_window_are_read(bits: int, level: int) -> None:
    packing = zlib.compressobj(level, zlib.DEFLATED, bits)
    text = packing.compress(b'{"timestamp":1}') + packing.flush()
    assert readable(text.decode("latin-1")) == (1, {"timestamp": 1})
    assert readable(gzip.compress(b'{"timestamp":1}', level).decode("latin-1")) == (1, {"timestamp": 1})


def test_texts_that_are_nothing_are_told_at_a_glance() -> None:
    """A body of 10 KB may have two million of them; trying to unpack each took seconds."""
    began = time.process_time()
    assert not any(readable(text) for text in ("", "y", "\x1f") for _ in range(MAX_ITEMS))
    assert time.process_time() - began < 0.4


def test_what_comes_when_the_room_is_used_up_is_not_tried() -> None:
    items: list[Json] = ["x"] * MAX_ITEMS
    said: Json = {"token": "t", "$session_id": "s", "$snapshot_data": items}
    body = gzip.compress(json.dumps([{"event": "$snapshot", "properties": said}] * 10).encode(), 1)
    began = time.process_time()
    with pytest.raises(TooLarge):
        accept(body, {}, {}, datetime(2026, 11, 1, tzinfo=UTC), lambda _: 1)
    assert time.process_time() - began < 1.0
