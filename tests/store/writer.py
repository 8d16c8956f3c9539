"""A process that appends for some seconds: `python writer.py CONNINFO SEED SECONDS`.

Batches of 1 and 50, bulk saves in which every third item is refused, whole saves that are refused by a guard, by a
version that exists, and saves that are rolled back. Prints one JSON line: how many events it was told were stored,
and how many were rolled back and refused.
"""

import json
import random
import sys
import time
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent

from commands.store.guards import absent, require
from commands.store.recorder import Datastore, EventRecorder, Group, Refused

STATE = b'{"text": "' + b"x" * 430 + b'"}'
REFUSING = [require("nobody", "has claimed this")]


def batch(size: int) -> list[StoredEvent]:
    return [StoredEvent(uuid4(), 1, "Written", STATE) for _ in range(size)]


class Writer:
    def __init__(self, conninfo: str, seed: int) -> None:
        self._conninfo = conninfo
        self._recorder = EventRecorder(Datastore(conninfo, pool_size=1))
        self._dice = random.Random(seed)
        self.stored, self.refused, self.rolled_back = 0, 0, 0

    def turn(self) -> None:
        size = self._dice.choice((1, 1, 1, 50))
        turns = (self.append, self.bulk, self.refuse, self.collide, self.roll_back)
        self._dice.choices(turns, (6, 2, 1, 1, 1))[0](size)

    def append(self, size: int) -> None:
        positions = self._recorder.insert_events(batch(size))
        assert positions == sorted(positions)
        self.stored += size

    def bulk(self, size: int) -> None:
        groups = [Group(batch(2), REFUSING if number % 3 == 2 else []) for number in range(size)]
        for position, refusal in self._recorder.insert_groups(groups):
            assert (position is None) == (refusal is not None)
            self.stored += 2 if position is not None else 0
            self.refused += 0 if position is not None else 2

    def refuse(self, size: int) -> None:
        self._expect_refusal(batch(size), REFUSING)

    def collide(self, size: int) -> None:
        events = batch(size)
        self._recorder.insert_events(events)
        self.stored += size
        self._expect_refusal([*batch(size), events[-1]], [])
        self._expect_refusal(events, [absent(UUID(str(events[0].originator_id)))])

    def roll_back(self, size: int) -> None:
        """Draws positions under the lock, then gives them up."""
        with psycopg.connect(self._conninfo) as connection:
            ids = [uuid4() for _ in range(size)]
            parameters = (ids, [1] * size, ["Abandoned"] * size, [STATE] * size)
            connection.execute(
                "SELECT store.append(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[], NULL)", parameters
            )
            connection.rollback()
        self.rolled_back += size

    def _expect_refusal(self, events: list[StoredEvent], guards: list[dict[str, object]]) -> None:
        try:
            self._recorder.insert_events(events, guards=guards)
        except Refused:
            self.refused += len(events)
        else:
            message = "a save that must be refused was stored"
            raise AssertionError(message)


def main() -> None:
    conninfo, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    writer = Writer(conninfo, seed)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        writer.turn()
    sys.stdout.write(json.dumps(vars(writer), default=str) + "\n")


if __name__ == "__main__":
    main()
