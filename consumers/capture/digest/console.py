"""The lines of a page's console, out of a recording, so that filters and timelines can search them.

What is kept: of one part the MAX_PART_LINES most severe, of a session the MAX_LINES most severe; of equal severity the
earliest. That depends on the parts alone, not on the order in which they arrive. The counts of a session count all.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from uuid import UUID

import psycopg

from consumers.capture.wire.encodings import Json, dump
from consumers.capture.wire.inflate import Room
from consumers.capture.wire.readable import readable

MAX_PART_LINES = 200
MAX_LINES = 5_000
MAX_MESSAGE = 2_000
"""Characters; the SDK itself cuts each of the up to 10 items of a call at as many (capture 4)."""
MAX_ITEMS = 100
ROWS_AT_ONCE = 5_000
"""Lines of one statement: 10 MB of text."""

_PLUGIN = 6
_CONSOLE = "rrweb/console@1"
_LEVELS = {"warn": "warn", "countReset": "warn", "error": "error", "assert": "error"}
"""capture 5. Every other is `info`: the session's count of them is called log."""

_SEVERITY = "array_position(ARRAY['error', 'warn', 'info'], level)"
_ORDER = ("error", "warn", "info")

_INSERT = """
    INSERT INTO capture.console_line (environment_id, session_id, part, place, at, level, message)
    SELECT * FROM unnest(
        %s::integer[], %s::text[], %s::uuid[], %s::integer[], %s::bigint[], %s::text[], %s::text[]
    ) AS new
"""

_CROWDED = """
    SELECT environment_id, session_id
    FROM capture.console_line
    JOIN unnest(%s::integer[], %s::text[]) AS asked (environment_id, session_id) USING (environment_id, session_id)
    GROUP BY environment_id, session_id
    HAVING count(*) > %s
    ORDER BY environment_id, session_id
"""

_TRIM = f"""
    DELETE FROM capture.console_line WHERE environment_id = %(environment_id)s AND session_id = %(session_id)s
      AND (part, place) IN (
        SELECT part, place FROM capture.console_line
        WHERE environment_id = %(environment_id)s AND session_id = %(session_id)s
        ORDER BY {_SEVERITY}, at, part, place
        OFFSET %(most)s
      )
"""  # noqa: S608 - an expression of our own


class ConsoleLine(NamedTuple):
    """`place` is the item's place in its part, `at` by the visitor's clock in milliseconds since 1970."""

    place: int
    at: int
    level: str
    message: str


def console_lines(items: Sequence[Json]) -> tuple[ConsoleLine, ...]:
    """The lines of one part that are kept, in their order."""
    found = list(_lines(items))
    if len(found) > MAX_PART_LINES:
        found.sort(key=lambda line: (_ORDER.index(line.level), line.at, line.place))
        found = sorted(found[:MAX_PART_LINES])
    return tuple(found)


def index(conn: psycopg.Connection, lines: Sequence[tuple[tuple[int, str], UUID, Sequence[ConsoleLine]]]) -> None:
    """Stores the lines of new parts, each with its session. Call it with the rows of the sessions locked."""
    rows = ((*session, part, *line) for session, part, each in lines for line in each)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        conn.execute(_INSERT, [list(column) for column in zip(*some, strict=True)])
    talking = sorted({session for session, _, each in lines if each})
    if not talking:
        return
    asked = ([one for one, _ in talking], [other for _, other in talking], MAX_LINES)
    for environment_id, session_id in conn.execute(_CROWDED, asked).fetchall():
        conn.execute(_TRIM.encode(), {"environment_id": environment_id, "session_id": session_id, "most": MAX_LINES})


def _lines(items: Sequence[Json]) -> Iterator[ConsoleLine]:
    room = Room()
    for place, item in enumerate(items):
        # What is packed is looked into as well, all else is passed over at the first look.
        if not isinstance(item, str) and (not isinstance(item, dict) or item.get("type") != _PLUGIN):
            continue
        found = readable(item, room)
        data = found[1].get("data") if found is not None else None
        if found is None or not isinstance(data, dict) or data.get("plugin") != _CONSOLE:
            continue
        payload = data.get("payload")
        level = payload.get("level") if isinstance(payload, dict) else None
        kind = _LEVELS.get(level, "info") if isinstance(level, str) else "info"
        yield ConsoleLine(
            place, found[0], kind, _message(payload.get("payload") if isinstance(payload, dict) else None)
        )


def _message(payload: Json) -> str:
    parts = payload[:MAX_ITEMS] if isinstance(payload, list) else [payload]
    texts: list[str] = []
    room = MAX_MESSAGE
    for part in parts:
        if room <= 0:
            break
        if part is not None:
            texts.append(_text(part))
            room -= len(texts[-1]) + 1
    return " ".join(texts)[:MAX_MESSAGE].replace("\0", "\ufffd")


def _text(part: Json) -> str:
    """An item of a call is JSON: a text is shown without its quotes, everything else as it stands."""
    if not isinstance(part, str):
        return dump(part).decode()
    if part.startswith('"') and len(part) <= 4 * MAX_MESSAGE:
        try:
            found = json.loads(part)
        except ValueError:
            return part
        return found.encode("utf-8", "replace").decode() if isinstance(found, str) else part
    return part
