import base64
import contextlib
import gzip
import json
import tracemalloc
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.capture.wire import encodings, lz_string
from consumers.capture.wire.encodings import decode_body, dump, gunzip, parse
from consumers.capture.wire.refusals import CaptureRefused, TooLarge, Undecodable

DOCUMENT = [{"event": "$snapshot", "text": "grüße 🙂 \x00\x1f + /"}]
TEXT = json.dumps(DOCUMENT).encode()
PACKED = gzip.compress(TEXT, mtime=0)
VECTORS = json.loads((Path(__file__).parent / "lz_string_vectors.json").read_text())
"""Made with the npm package lz-string 1.5.0 (`compressToBase64`)."""
LZ = next(vector["base64"] for vector in VECTORS if vector["text"].startswith("[{")).encode()


@pytest.mark.parametrize(
    ("body", "content_type", "compression"),
    [
        (TEXT, "application/json", ""),
        (b"  \n" + TEXT, "", ""),
        (PACKED, "text/plain", ""),
        (PACKED, "application/json", "base64"),
        (base64.b64encode(TEXT), "", ""),
        (base64.b64encode(PACKED), "", "gzip-js"),
        (base64.urlsafe_b64encode(TEXT).rstrip(b"="), "", ""),
        (b"data=" + base64.b64encode(TEXT), "application/x-www-form-urlencoded", "base64"),
        (b"data=" + quote(base64.b64encode(TEXT)).encode(), "", ""),
        (b"data=" + base64.b64encode(TEXT).replace(b"+", b" "), "", ""),
        (b"ip=1&data=" + quote(base64.b64encode(PACKED)).encode() + b"&v=1", "application/x-www-form-urlencoded", ""),
        (b"data=" + quote(TEXT).encode(), "application/x-www-form-urlencoded; charset=utf-8", ""),
        (b"data=" + json.dumps(DOCUMENT, ensure_ascii=False).encode(), "", ""),
        (TEXT, "application/x-www-form-urlencoded", ""),
    ],
)
def test_every_wrapping_gives_the_same_document(body: bytes, content_type: str, compression: str) -> None:
    assert decode_body(body, content_type, compression) == DOCUMENT


@pytest.mark.parametrize("compression", ["lz64", "lz-string"])
def test_lz_string_bodies(compression: str) -> None:
    assert decode_body(LZ, "", compression) == [{"event": "$snapshot"}]
    form = b"data=" + quote(LZ).encode()
    assert decode_body(form, "application/x-www-form-urlencoded", compression) == [{"event": "$snapshot"}]


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_lz_string_equals_the_original(vector: dict[str, str]) -> None:
    whole = vector["text"].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert lz_string.decompress_base64(vector["base64"].encode(), 10_000) == whole


def test_lz_string_output_is_capped() -> None:
    long = next(vector for vector in VECTORS if len(vector["text"]) == 600)
    with pytest.raises(TooLarge):
        lz_string.decompress_base64(long["base64"].encode(), 599)
    with pytest.raises(TooLarge):
        lz_string.decompress_base64(b"A" * (lz_string.MAX_LZ_BYTES * 4 // 3 + 8), 10)


@given(st.binary(max_size=300))
def test_junk_is_refused_or_decoded_and_nothing_else(junk: bytes) -> None:
    for body in (junk, b"\x1f\x8b" + junk, b"data=" + junk, b"[" + junk):
        for compression in ("", "lz64"):
            try:
                decode_body(body, "", compression)
            except CaptureRefused:
                continue


def by_zlib(data: bytes) -> bytes | None:
    """The first member, by the library that most others use; None when it is damaged or cut short."""
    inflater = zlib.decompressobj(31)
    try:
        plain = inflater.decompress(data)
    except zlib.error:
        return None
    return plain if inflater.eof else None


_FLAGS, _RESERVED = 3, 0xE0


@given(
    st.binary(max_size=400) | st.text("ab{}", max_size=3_000).map(str.encode),
    st.sampled_from([0, 1, 6, 9]),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 255)), max_size=3),
)
def test_damaged_gzip_is_read_as_zlib_does(plain: bytes, level: int, damage: list[tuple[int, int]]) -> None:
    """Apart from the bits of the header that mean nothing yet, which zlib wants to be zero."""
    packed = bytearray(gzip.compress(plain, level))
    for place, value in damage:
        packed[place % len(packed)] = value
    packed[_FLAGS] &= ~_RESERVED
    expected = by_zlib(bytes(packed))
    if expected is None:
        with pytest.raises(CaptureRefused):
            gunzip(bytes(packed), 10_000)
    else:
        assert gunzip(bytes(packed), 10_000) == expected


@pytest.mark.parametrize("cut", range(1, len(PACKED)))
def test_gzip_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(Undecodable):
        gunzip(PACKED[:cut], 10_000)


def test_gzip_members_in_a_row_are_one_text() -> None:
    assert gunzip(gzip.compress(b"one ") + gzip.compress(b"two"), 7) == b"one two"
    with pytest.raises(TooLarge):
        gunzip(gzip.compress(b"one ") + gzip.compress(b"two"), 6)


def test_many_small_gzip_members_are_refused_before_they_are_all_read() -> None:
    """Each would cost a copy of the rest."""
    empty = gzip.compress(b"")
    assert gunzip(empty * encodings.MAX_MEMBERS, 0) == b""
    # Damaged behind the limit, which nobody looks at any more.
    with pytest.raises(TooLarge):
        decode_body(empty * encodings.MAX_MEMBERS + PACKED[:-1])


def test_a_zip_bomb_costs_no_more_than_the_cap() -> None:
    bomb = gzip.compress(b"[" + b"0," * 50_000_000 + b"0]", 1)
    with pytest.raises(TooLarge):
        decode_body(bomb, max_bytes=1_000_000)


@pytest.mark.parametrize(
    "body", [b"data=" + b"%41" * 300_000, b"AA " * 300_000, b'["' + b"\xed\xa0\x80aa" * 200_000 + b'"]']
)
def test_no_object_is_made_of_each_escape_blank_or_half(body: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(Undecodable):
            decode_body(body)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", range(4, 12))
def test_where_pieces_are_cut_changes_nothing(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(encodings, "_PIECE", size)
    assert decode_body(b"data=" + quote(TEXT, safe="").encode()) == DOCUMENT
    assert decode_body(b"data=" + TEXT) == DOCUMENT
    assert parse('["grüße 🙂 '.encode() + b"\xed\xa0\xbd" * 5 + b'"]') == ["grüße 🙂 " + "\ufffd" * 5]


def test_a_body_over_the_wire_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        decode_body(b"[" + b" " * encodings.MAX_WIRE_BYTES)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_million_levels_are_refused(opening: bytes) -> None:
    with pytest.raises(TooLarge):
        parse(opening * 1_000_000)


def test_many_small_values_are_refused_before_they_become_objects() -> None:
    with pytest.raises(TooLarge):
        parse(b"[" + b"[]," * (encodings.MAX_VALUES // 2) + b"[]]")


def test_nesting_up_to_the_limit_survives_the_way_out() -> None:
    def nested(levels: int) -> encodings.Json:
        value: encodings.Json = 1
        for _ in range(levels):
            value = [value]
        return value

    deep = nested(encodings.MAX_NESTING)
    assert parse(dump(deep)) == deep
    with pytest.raises(TooLarge):
        dump(nested(encodings.MAX_NESTING + 2))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'["cut \ud83d"]', ["cut \ufffd"]),
        (rb'["\ud83d\ude42 and \ude42"]', ["🙂 and \ufffd"]),
        (b'["\xed\xa0\xbd"]', ["\ufffd"]),
        (b'["\xff"]', ["\ufffd"]),
        (rb'["\u0000"]', ["\0"]),
    ],
)
def test_half_characters_are_replaced_and_can_be_written_again(text: bytes, value: encodings.Json) -> None:
    assert parse(text) == value
    assert parse(dump(value)) == value


@pytest.mark.parametrize("text", [b"", b"{", b"[NaN]", b"[Infinity]", b"nonsense", b"[1" + b"0" * 5_000 + b"x]"])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(Undecodable):
        parse(text)


def test_zlib_is_not_gzip() -> None:
    assert encodings.unzlib(zlib.compress(b"x"), 1) == b"x"
    with pytest.raises(Undecodable):
        encodings.unzlib(gzip.compress(b"x"), 1)
