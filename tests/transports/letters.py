"""Handlers that call records poison, and what became of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psycopg

from api.bootstrap import MeasuredTransport
from consumers.transports.dead_letters import Letter, Selection, newest_letters
from consumers.transports.gauges import CATALOGUE
from consumers.transports.port import Outgoing, Poison, Record
from tests.transports.brokers import Broker
from tests.transports.ledger import enter, entries

EVERY = Selection()


def numbered(*numbers: int, key: bytes = b"key") -> list[Outgoing]:
    return [Outgoing(key, str(number).encode(), f"m:{number}", {"odd": bytes(range(256))}) for number in numbers]


class Sick:
    """A handler that calls some values poison, until it is healed, and enters the others into the ledger."""

    def __init__(self, *values: int) -> None:
        self.values = {str(value).encode() for value in values}
        self.error: Callable[[Record], Exception] = lambda record: Poison(record, "sick")
        self.tries = 0

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        for record in records:
            if record.value in self.values:
                self.tries += 1
                raise self.error(record)
        enter(conn, "g", records)


def handled(broker: Broker) -> list[int]:
    return [int(entry.value) for entry in entries(broker.database_url, "g")]


@contextmanager
def database(broker: Broker) -> Iterator[psycopg.Connection]:
    with psycopg.connect(broker.database_url, autocommit=True) as conn:
        yield conn


def letters(broker: Broker) -> list[Letter]:
    with database(broker) as conn:
        return newest_letters(conn, 100, EVERY)


def states(broker: Broker) -> dict[int, str]:
    """State by value: values are numbers, published in order."""
    found = letters(broker)
    with database(broker) as conn:
        values = dict(conn.execute("SELECT id, convert_from(value, 'utf8')::int FROM log.dead_letter").fetchall())
    return {values[letter.id]: letter.state for letter in found if letter.id in values}


def gauge_of(transport: MeasuredTransport, name: str) -> float:
    assert name in CATALOGUE
    return sum(gauge.value for gauge in transport.gauges() if gauge.name == name)
