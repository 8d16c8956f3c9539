"""How JSON lines lie in a blob: a zstd frame a batch. Batches of earlier versions are gzip members, and stay readable.

At level 1 zstd makes the same bytes a little smaller than gzip at its fastest, in a third of the time, which was half
of all that digesting a batch takes (benchmarks/digest.py). Most of a recording is packed already by the SDK: higher
levels cost time and gain little.
"""

from threading import local

import zstandard

from consumers.capture.wire.encodings import gunzip
from consumers.capture.wire.refusals import TooLarge, Undecodable

LEVEL = 1

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class _Tools(local):
    """A compressor and a decompressor of each thread's own: they keep state while they work."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
        self.unpacker = zstandard.ZstdDecompressor()


_tools = _Tools()


def pack(lines: bytes) -> bytes:
    """The same lines always give the same bytes."""
    return _tools.packer.compress(lines)


def unpack(packed: bytes, max_bytes: int) -> bytes:
    """Raises Undecodable when damaged or cut short, TooLarge over `max_bytes`."""
    if not packed.startswith(_ZSTD_MAGIC):
        return gunzip(packed, max_bytes)
    try:
        if not 0 <= zstandard.frame_content_size(packed) <= max_bytes:
            raise TooLarge(f"The data is larger than {max_bytes} bytes when unpacked.")
        return _tools.unpacker.decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Undecodable("The packed data is damaged.") from error
