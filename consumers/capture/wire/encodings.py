"""Bytes from the wire to JSON values and back, with a stated limit on everything (capture 2, 8 step 1)."""

import binascii
import codecs
import json
import math
import re
from collections.abc import Iterator
from typing import TypeAlias, cast
from urllib.parse import unquote_to_bytes

import orjson
from isal import isal_zlib

from consumers.capture.wire import lz_string
from consumers.capture.wire.refusals import TooLarge, Undecodable

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_WIRE_BYTES = 25 * 1024 * 1024
"""One HTTP body as sent: the reference pipeline's own limit (capture 5, step 1)."""

MAX_INFLATED_BYTES = 64 * 1024 * 1024
"""One HTTP body unpacked. The SDK splits its buffers at 6.6 MB and sends up to 3 of them in a body (capture 3)."""

MAX_VALUES = 2_500_000
"""Commas and opening brackets in one document, which bounds the Python objects it can become: 160 bytes for each were
measured, so 400 MB. Counted before parsing, in strings too. Three full buffers of the SDK have 1.5 million."""

MAX_NESTING = 500
"""Levels of one rrweb event: a page nested 250 elements deep, two levels an element."""

MAX_LENIENT_BYTES = 16 * 1024 * 1024
"""What is parsed a second and a third time for what no browser sends but this module knows: it takes twenty times the
memory."""

MAX_MEMBERS = 100
"""Gzip members in a row. SDKs send one and this system stores one; each costs a copy of all that follows it."""

MAX_HALVES = 100_000
"""Escapes of surrogates in a document whose lone ones are replaced. Browsers write whole characters without escapes."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 31
_DAMAGED = cast("type[Exception]", isal_zlib.error)  # its stub takes the class for an instance
_JSON_STARTS = (b"{", b"[")
_LZ = frozenset({"lz64", "lz-string"})
_BASE64_BLANK = b" \t\n\r\f\v="
_HIGH_ALONE = re.compile(rb"\\(?<!\\\\)u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_LOW_ALONE = re.compile(rb"\\(?<!\\\\)u(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2}")
_RAW_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_PIECE = 64 * 1024
_LEAST_WHOLE, _LARGEST_WHOLE = -(2**63), 2**64 - 1
_LONGEST_WHOLE = len(str(_LARGEST_WHOLE))
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def decode_body(
    body: bytes,
    content_type: str = "",
    compression: str = "",
    max_bytes: int = MAX_INFLATED_BYTES,
    max_values: int = MAX_VALUES,
) -> Json:
    """The JSON document of a request body, whatever the SDK wrapped it in.

    `content_type` is the header, `compression` the query parameter of that name; both are hints only, because SDKs send
    gzip as text/plain. Order of tries: gzip by magic, form field `data`, lz-string, plain JSON, base64 of JSON or gzip.
    `max_bytes` bounds what packed bodies unpack to, `max_values` is as in `parse`.
    Raises Undecodable or TooLarge.
    """
    if len(body) > MAX_WIRE_BYTES:
        raise TooLarge(f"A body may have {MAX_WIRE_BYTES} bytes.")
    if body.startswith(_GZIP_MAGIC):
        return parse(gunzip(body, max_bytes), max_values)
    body = body.strip()
    is_form = content_type.lower().startswith("application/x-www-form-urlencoded")
    # curl and others call JSON a form unless they are told what it is.
    if body.startswith(b"data=") or (is_form and body[:1] not in _JSON_STARTS):
        body = _form_field(body).strip()
    if compression in _LZ:
        return parse(lz_string.decompress_base64(body, max_bytes).encode(), max_values)
    if body[:1] in _JSON_STARTS:
        return parse(body, max_values)
    body = _base64(body)
    return parse(gunzip(body, max_bytes) if body.startswith(_GZIP_MAGIC) else body, max_values)


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Every member of a gzip stream.

    Raises Undecodable when damaged or cut short, TooLarge over `max_bytes` or MAX_MEMBERS.
    """
    return _inflate(data, _GZIP, max_bytes)


def unzlib(data: bytes, max_bytes: int) -> bytes:
    """One zlib stream (rrweb's packFn), under the same rules as `gunzip`."""
    return _inflate(data, isal_zlib.MAX_WBITS, max_bytes)


def parse(document: bytes | str, max_values: int = MAX_VALUES) -> Json:
    """A JSON document, a text only where it comes out of another document as one.

    Lone surrogates and bytes that are not UTF-8 become U+FFFD: nothing downstream can hold them.

    A whole number is an int while it has 64 bits, and beyond that a double, as every number is in a browser. One that
    no double holds (1e999, a 1 with 400 zeros) is null, which is what a browser makes of it in JSON.

    Raises Undecodable, or TooLarge over `max_values` or the parser's own nesting limit.
    """
    if exceeds(max_values, document):
        raise TooLarge(f"A document may have {max_values} values.")
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError as refusal:
        plain = document.encode("utf-8", "replace") if isinstance(document, str) else document
        return _parse_leniently(plain, refusal)


def exceeds(max_values: int, *documents: bytes | str) -> bool:
    """Whether they have more commas and opening brackets together; short documents cannot have so many."""
    if sum(map(len, documents)) <= max_values:
        return False
    return sum(map(_values, documents)) > max_values


def _values(document: bytes | str) -> int:
    if isinstance(document, str):
        return sum(document.count(sign) for sign in ",[{")
    if len(document) <= _PIECE:  # one walk instead of three, for a copy
        return len(document) - len(document.translate(None, b",[{"))
    return sum(document.count(sign) for sign in (b",", b"[", b"{"))


def dump(value: Json, max_nesting: int = MAX_NESTING) -> bytes:
    """Compact UTF-8 JSON. Raises TooLarge when nested deeper than `max_nesting` levels."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # orjson stops at 254 levels and at 64-bit integers; pages and clients know no such limits.
        if _deeper_than(value, max_nesting):
            raise TooLarge(f"An event may be nested {MAX_NESTING} levels deep.") from None
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def compress(data: bytes) -> bytes:
    """Gzip without a time stamp, so that the same bytes give the same digest on the same kind of processor.

    By ISA-L, at a seventh of zlib's time for the same size (ADR 19).
    """
    return isal_zlib.compress(data, 1, _GZIP)


def _inflate(data: bytes, window_bits: int, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    room = max_bytes
    try:
        for _ in range(MAX_MEMBERS):
            inflater = isal_zlib.decompressobj(window_bits)
            parts.append(inflater.decompress(data, room + 1))
            room -= len(parts[-1])
            if room < 0:
                raise TooLarge(f"The data is larger than {max_bytes} bytes when unpacked.")
            if not inflater.eof:
                raise Undecodable("The compressed data is cut short.")
            data = inflater.unused_data
            if not data.startswith(_GZIP_MAGIC):
                return parts[0] if len(parts) == 1 else b"".join(parts)
    except _DAMAGED as error:
        raise Undecodable("The compressed data is damaged.") from error
    raise TooLarge(f"Compressed data may have {MAX_MEMBERS} members.")


def _form_field(body: bytes) -> bytes:
    for pair in body.split(b"&", 16):
        name, _, value = pair.partition(b"=")
        if name == b"data":
            # In one go, each escape would become an object of its own: eighty times the body's size.
            field = b"".join(map(unquote_to_bytes, _pieces(value, b"%"))).strip()
            # A plus sign in unescaped base64 reads as a space in a form: both mean plus.
            return field if field[:1] in _JSON_STARTS else field.replace(b" ", b"+")
    raise Undecodable("The form has no field named data.")


def _base64(text: bytes) -> bytes:
    symbols = text.translate(_URL_SAFE, _BASE64_BLANK)
    if not symbols:
        raise Undecodable("The body is empty.")
    try:
        return binascii.a2b_base64(symbols + b"=" * (-len(symbols) % 4), strict_mode=True)
    except binascii.Error as error:
        raise Undecodable("The body is neither gzip, JSON, lz-string nor base64.") from error


def _parse_leniently(document: bytes, refusal: Exception) -> Json:
    """For what orjson refuses and browsers send: lone surrogates (a text cut between the halves of an emoji)."""
    try:
        return orjson.loads(_without_halves(document))
    except orjson.JSONDecodeError:
        if len(document) > MAX_LENIENT_BYTES:
            raise Undecodable("The document is not JSON.") from refusal
    try:
        value = json.loads(_text(document), parse_constant=_no_constant, parse_float=_float, parse_int=_whole)
        halves = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
        return json.loads(halves.decode("utf-16-le", "replace"))
    except RecursionError:
        raise TooLarge("The document is nested too deeply.") from None
    except ValueError:
        raise Undecodable("The document is not JSON.") from refusal


def _without_halves(document: bytes) -> bytes:
    """The document with U+FFFD for surrogates that stand alone as an escape, and for bytes that are not UTF-8.

    Where a backslash stands before the escape it is left, because that may be a text about escapes.
    """
    if document.count(b"\\ud") + document.count(b"\\uD") <= MAX_HALVES:
        document = _LOW_ALONE.sub(rb"\\ufffd", _HIGH_ALONE.sub(rb"\\ufffd", document))
    if document.isascii():
        return document
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    # Piece by piece: one astral character makes a text of four bytes a character, each half an object.
    pieces = (_RAW_HALF.sub("\ufffd".encode(), piece) for piece in _pieces(document, b"\xed"))
    return b"".join(decoder.decode(piece).encode() for piece in pieces) + decoder.decode(b"", final=True).encode()


def _pieces(data: bytes, mark: bytes) -> Iterator[bytes]:
    """Slices of at most _PIECE bytes that cut no three bytes apart that begin with `mark`."""
    start = 0
    while start < len(data):
        end = start + _PIECE
        cut = data.find(mark, end - 2, end)
        end = end if cut < 0 else cut
        yield data[start:end]
        start = end


def _text(document: bytes) -> str:
    try:
        return document.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return document.decode("utf-8", "replace")


def _float(text: str) -> float | None:
    """None for 1e999: it reads as infinity, which no JSON document can hold."""
    value = float(text)
    return value if math.isfinite(value) else None


def _whole(text: str) -> int | float | None:
    """As orjson reads it, by the rule of `parse`. Long ones are never made an int: that takes the square of digits."""
    if len(text) <= _LONGEST_WHOLE and _LEAST_WHOLE <= (value := int(text)) <= _LARGEST_WHOLE:
        return value
    return _float(text)


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _deeper_than(value: Json, levels: int) -> bool:
    """Walks level by level: recursion is what this guards against."""
    layer: list[Json] = [value]
    for _ in range(levels + 1):
        layer = [child for parent in layer for child in _children(parent)]
        if not layer:
            return False
    return True
