"""Decompression of the lz-string format (base64 form), which early browser SDKs use for bodies (capture 2, step 3).

The format is LZ78 with growing code widths. Codes are written least significant bit first into a stream that fills each
byte from its most significant bit; a first code of width 2 says what follows: 0 an 8-bit unit, 1 a 16-bit unit, 2 the
end. Units are UTF-16 code units, so characters beyond the basic plane arrive as surrogate pairs.
"""

import binascii
import re

from consumers.capture.wire.refusals import TooLarge, Undecodable

MAX_LZ_BYTES = 4 * 1024 * 1024
"""Compressed bytes. Decoding runs in Python at about 2 MB/s, so this bounds what one body can cost."""

_UNIT_8, _UNIT_16, _END = 0, 1, 2
_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BLANK = re.compile(rb"[\s=]+")


def decompress_base64(text: bytes, max_characters: int) -> str:
    """The text that `LZString.compressToBase64` was given; lone surrogates become U+FFFD.

    Raises Undecodable for damaged input, TooLarge over MAX_LZ_BYTES or when the output passes `max_characters`.
    """
    symbols = _BLANK.sub(b"", text)
    if len(symbols) * 3 // 4 > MAX_LZ_BYTES:
        raise TooLarge(f"An lz-string body may have {MAX_LZ_BYTES} bytes.")
    try:
        packed = binascii.a2b_base64(symbols + b"A" * (-len(symbols) % 4), strict_mode=True)
    except binascii.Error as error:
        raise Undecodable("The lz-string body is not base64.") from error
    units = "".join(_units(_Bits(packed), max_characters))
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class _Bits:
    """Reads codes of a given width, least significant bit first."""

    def __init__(self, packed: bytes) -> None:
        self._stream = packed.translate(_BITS_REVERSED) + b"\0" * 8
        self._end = len(packed) * 8
        self._position = 0

    def take(self, width: int) -> int:
        start = self._position
        self._position = start + width
        if self._position > self._end:
            raise Undecodable("The lz-string body ends in the middle.")
        window = int.from_bytes(self._stream[start >> 3 : (start >> 3) + 8], "little")
        return (window >> (start & 7)) & ((1 << width) - 1)

    def unit(self, kind: int) -> str:
        """A new UTF-16 unit, as its code says how wide."""
        if kind > _UNIT_16:
            raise Undecodable("The lz-string body starts with an unknown code.")
        return chr(self.take(8 if kind == _UNIT_8 else 16))


def _units(bits: _Bits, max_characters: int) -> list[str]:
    kind = bits.take(2)
    if kind == _END:
        return []
    previous = bits.unit(kind)
    # 0 to 2 are the codes above; the width grows when the next free entry no longer fits.
    entries: list[str] = ["", "", "", previous]
    out, length, width, room = [previous], 1, 3, 4
    while True:
        code = bits.take(width)
        if code == _END:
            return out
        if code in (_UNIT_8, _UNIT_16):
            entries.append(bits.unit(code))
            code = len(entries) - 1
            room -= 1
            if room == 0:
                room, width = 1 << width, width + 1
        if code > len(entries):
            raise Undecodable("The lz-string body names an entry that it has not made.")
        entry = entries[code] if code < len(entries) else previous + previous[0]
        length += len(entry)
        if length > max_characters:
            raise TooLarge(f"The body is longer than {max_characters} characters when unpacked.")
        out.append(entry)
        entries.append(previous + entry[0])
        previous = entry
        room -= 1
        if room == 0:
            room, width = 1 << width, width + 1
