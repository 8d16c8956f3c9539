"""Reading messages whose header names are not UTF-8, which only other clients can publish.

The client (3.0.12) decodes names strictly, so one such message fails each fetch that holds it: its batch would be read
for ever, together with every record that shares it. Names have no meaning to handlers unless they are ours.
"""

from __future__ import annotations

from typing import Any

from kafka.record import default_records, memory_records

# Without the types of release 2.
_Batch: Any = default_records.DefaultRecordBatch


class _Name(bytes):
    """What is no UTF-8 in it becomes the replacement character."""

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return bytes(self).decode(encoding, "replace" if errors == "strict" else errors)


class _Buffer(bytearray):
    """Hands out names; numbers and values are read as from any buffer."""

    def __getitem__(self, where: Any) -> Any:
        found = super().__getitem__(where)
        return _Name(found) if isinstance(where, slice) else found


class LenientBatch(_Batch):
    """A batch that is read again with lenient names when that is what fails."""

    __slots__ = ()

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            # Nothing has moved: the client notes how far it is after a whole message.
            self._buffer = _Buffer(self._buffer)
            return super()._read_msg()


def install() -> None:
    """Has this process's clients read leniently."""
    memory_records.DefaultRecordBatch = LenientBatch  # type: ignore[misc,assignment]
