"""Publishing what several requests have at the same time in one go: a commit, or a broker's answer, serves them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from consumers.capture.held import Publisher
from consumers.transports.port import Outgoing, Unavailable


@dataclass(slots=True, eq=False)
class _Call:
    topic: str
    records: Sequence[Outgoing]
    done: bool = False
    error: Exception | None = None


class Together:
    """A publisher in front of another, for threads. One call is under way; whoever comes next takes along all who wait.

    So an idle server publishes at once, and a busy one in larger pieces. In an outage nobody waits for more than two
    calls. What is wrong with the records of one caller is told to nobody else: then each is published alone.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._turn = Lock()
        self._lock = Lock()
        self._waiting: dict[str, list[_Call]] = {}

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """As Publisher. Returns, or raises, when these records are dealt with."""
        mine = _Call(topic, records)
        with self._lock:
            self._waiting.setdefault(topic, []).append(mine)
        with self._turn:
            if not mine.done:
                with self._lock:
                    calls = self._waiting.pop(topic)
                self._publish(calls)
        if mine.error is not None:
            raise mine.error

    def _publish(self, calls: Sequence[_Call]) -> None:
        try:
            self._publisher.publish(calls[0].topic, [record for call in calls for record in call.records])
        except Unavailable as error:
            for call in calls:
                call.error = error
        except Exception as error:  # noqa: BLE001 - whose it is shows when each is alone
            for call in calls:
                call.error = error if len(calls) == 1 else self._alone(call)
        for call in calls:
            call.done = True

    def _alone(self, call: _Call) -> Exception | None:
        try:
            self._publisher.publish(call.topic, call.records)
        except Exception as error:  # noqa: BLE001 - raised where it is asked for
            return error
        return None
