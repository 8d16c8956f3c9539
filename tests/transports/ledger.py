"""The ledger: what handlers did, written in their own transactions. Every record must be accounted for, once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import psycopg

from consumers.transports.port import Handler, Outgoing, Record, Transport, Unavailable

WAIT_SECONDS = 60.0
"""A worker that lost its group without noticing joins it anew within 30 s (ADR 9): that is no loss."""


class Entry(NamedTuple):
    topic: str
    part: int
    off: int
    key: str
    value: str
    worker: str


def open_ledger(database_url: str) -> None:
    """No unique key: a doubled effect must show, not fail."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "CREATE TABLE ledger (n bigint GENERATED ALWAYS AS IDENTITY, grp text, topic text, part integer,"
            " off bigint, key text, value text, worker text)"
        )


def enter(conn: psycopg.Connection, group: str, records: Sequence[Record], *, worker: str = "") -> None:
    with conn.cursor() as cursor:
        for record in records:
            cursor.execute(
                "INSERT INTO ledger (grp, topic, part, off, key, value, worker) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (
                    group,
                    record.topic,
                    record.partition,
                    record.offset,
                    (record.key or b"").decode(),
                    record.value.decode(),
                    worker,
                ),
            )


def writes(group: str) -> Handler:
    """The plain handler: everything goes to the ledger."""
    return lambda conn, records: enter(conn, group, records)


def entries(database_url: str, group: str) -> list[Entry]:
    """In the order in which they were handled, as far as one partition is concerned."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        found = conn.execute(
            "SELECT topic, part, off, key, value, worker FROM ledger WHERE grp = %s ORDER BY topic, part, n", (group,)
        )
        return [Entry(*row) for row in found]


def messages(count: int, *, keys: int = 10, start: int = 0, mark: str = "m") -> list[Outgoing]:
    """Numbered records, dealt to the keys in turn."""
    return [
        Outgoing(key=f"key-{n % keys}".encode(), value=str(n).encode(), event_id=f"{mark}:{n}")
        for n in range(start, start + count)
    ]


def published(transport: Transport, records: Sequence[Outgoing]) -> bool:
    """False when the transport was not available; then the call is to be repeated, as publishers do."""
    try:
        transport.publish("facts", records)
    except Unavailable:
        return False
    return True


def assert_accounted(found: Sequence[Entry], sent: Sequence[Outgoing]) -> None:
    """Each record once, none besides, in order per key, one partition per key, offsets growing."""
    assert sorted(int(entry.value) for entry in found) == sorted(int(record.value) for record in sent)
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for entry in found:
        by_key[entry.key].append(entry)
    order: dict[str, list[str]] = defaultdict(list)
    for record in sent:
        order[(record.key or b"").decode()].append(record.value.decode())
    for key, handled in by_key.items():
        assert [entry.value for entry in handled] == order[key], key
        assert len({entry.part for entry in handled}) == 1, key
        offsets = [entry.off for entry in handled]
        assert offsets == sorted(set(offsets)), key


def wait_until(happened: Callable[[], bool], *, seconds: float = WAIT_SECONDS, what: str = "it") -> float:
    """Seconds until it happened; fails when it does not."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def wait_drained(transport: Transport, group: str, *, seconds: float = WAIT_SECONDS) -> None:
    """Until the group has consumed something and its lag is zero."""

    def drained() -> bool:
        lag = transport.lag(group)
        return bool(lag) and not any(lag.values())

    wait_until(drained, seconds=seconds, what=f"lag 0 of {group}")
