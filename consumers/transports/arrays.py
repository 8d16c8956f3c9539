"""Arrays of long byte strings on their way to PostgreSQL, put together in one go.

psycopg makes an array item by item, which costs a batch of recordings more than everything else on its way to the
database. The form is that of ``array_recv``: dimensions, whether there are nulls, the type, then length and lower bound
of the one dimension, and each item behind its length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from psycopg import pq
from psycopg.adapt import Dumper

_TYPES = psycopg.postgres.types
_HEAD = struct.Struct("!iiIii")
_LENGTH = struct.Struct("!i")


class Bytes(NamedTuple):
    """A parameter of type ``bytea[]``, for the placeholder ``%b``; without nulls."""

    items: Sequence[bytes]


class _BytesDumper(Dumper):
    format = pq.Format.BINARY
    oid = _TYPES["bytea"].array_oid

    def dump(self, obj: Bytes) -> bytes:
        parts = [_HEAD.pack(1, 0, _TYPES["bytea"].oid, len(obj.items), 1)]
        for item in obj.items:
            parts.append(_LENGTH.pack(len(item)))
            parts.append(item)
        return b"".join(parts)


psycopg.adapters.register_dumper(Bytes, _BytesDumper)
