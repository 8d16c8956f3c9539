import pytest

from consumers.capture.store.packing import pack, unpack
from consumers.capture.wire.encodings import compress
from consumers.capture.wire.refusals import TooLarge, Undecodable
from tests.capture.arrival import recording
from tests.capture.traffic import ENVIRONMENT, Capture, click, snapshot

LINES = b'["w",{"type":3,"timestamp":5}]\n' * 1_000


def test_packed_lines_come_back() -> None:
    for lines in (b"", b"x", LINES):
        assert unpack(pack(lines), 100_000) == lines
    assert pack(LINES) == pack(LINES)
    assert len(pack(LINES)) < len(LINES) / 50


def test_more_than_there_is_room_for() -> None:
    """The frame says how much it holds, so nothing is unpacked to find out."""
    assert unpack(pack(LINES), len(LINES)) == LINES
    with pytest.raises(TooLarge):
        unpack(pack(LINES), len(LINES) - 1)


@pytest.mark.parametrize("at", [0, 3, 5, 20, -5, -1])
def test_damage_is_noticed(at: int) -> None:
    packed = bytearray(pack(LINES))
    packed[at] ^= 0x55
    with pytest.raises((Undecodable, TooLarge)):
        unpack(bytes(packed), 100_000)
    with pytest.raises(Undecodable):
        unpack(bytes(pack(LINES)[:at] if at else b""), 100_000)


def test_batches_of_earlier_versions_are_read(capture: Capture) -> None:
    """Those are gzip members."""
    capture.capture(snapshot([click(5)], "s", "one"))
    (part,) = capture.rows("SELECT blob FROM capture.part")
    lines = unpack(capture.blobs.get(part["blob"]), 10_000)
    earlier = compress(lines)
    key = capture.blobs.put(ENVIRONMENT, "s", earlier)
    capture.rows("UPDATE capture.part SET blob = %s, blob_length = %s RETURNING 1", key, len(earlier))
    with capture.pool.connection() as conn:
        assert [event for _, event in recording(conn, capture.blobs, ENVIRONMENT, "s")] == [click(5)]
