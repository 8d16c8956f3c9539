r"""Headers as JSON that a person can read in the database: bytes in PostgreSQL's ``escape`` format.

Printable ASCII stays as it is, a backslash is doubled, NUL and bytes above 127 become ``\ooo`` in octal.
``decode(headers->>'name', 'escape')`` gives the bytes back in SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

_ESCAPES = {0: "\\000", 92: "\\\\"} | {code: f"\\{code:03o}" for code in range(128, 256)}
_ESCAPED = re.compile(rb"\\(\\|[0-7]{3})")


def pack(headers: Mapping[str, bytes]) -> str:
    """JSON text for a ``jsonb`` column."""
    return orjson.dumps({name: _escaped(value) for name, value in headers.items()}).decode()


def unpack(stored: str) -> dict[str, bytes]:
    """The headers from the column's JSON text."""
    packed: dict[str, str] = orjson.loads(stored)
    return {name: _unescaped(value) for name, value in packed.items()}


def _escaped(value: bytes) -> str:
    if value.isascii() and b"\\" not in value and b"\0" not in value:  # nearly all
        return value.decode("ascii")
    return value.decode("latin-1").translate(_ESCAPES)


def _unescaped(value: str) -> bytes:
    code = value.encode("ascii")
    return _ESCAPED.sub(_unescape, code) if b"\\" in code else code


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match.group(1)
    return code if code == b"\\" else bytes([int(code, 8)])
