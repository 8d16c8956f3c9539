"""An installation that grows from the log in the database to Kafka: what the log still holds is handled first.

The relay's checkpoint is the same with both transports, so each event goes through one of them. A group that has
records left in the log handles them before it begins on Kafka, so that keys keep their order; its dead letters go with
it. A partition of the log that has stopped holds its group back until an operator resumes it. Nobody can publish to the
log any more: it refuses once Kafka is noted (``installation``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Event
from typing import TypeVar

from consumers.transports.gauges import Gauge
from consumers.transports.kafka.transport import KafkaTransport
from consumers.transports.port import MAX_BATCH_RECORDS, Handler, Outgoing, Unavailable
from consumers.transports.postgres import PostgresTransport
from consumers.transports.settings import Backoff

_Answer = TypeVar("_Answer")

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
TELL_SECONDS = 60.0
ADDED = "transport_lag_records"


class HandingOver:
    """``Transport`` over Kafka, with the log's leftovers first."""

    def __init__(self, log: PostgresTransport, kafka: KafkaTransport, away: Backoff) -> None:
        self._log = log
        self._kafka = kafka
        self._away = away

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        """See the port."""
        self._kafka.publish(topic, records)

    def consume(
        self,
        group: str,
        topics: Collection[str],
        handler: Handler,
        *,
        stop: Event,
        max_records: int = MAX_BATCH_RECORDS,
        park_keys: bool = False,
    ) -> None:
        """See the port."""
        if all(map(self._kafka.is_existing, topics)):
            self._kafka.consume(group, topics, handler, stop=stop, max_records=max_records, park_keys=park_keys)
            return
        self._register(group, topics, stop)
        if self._leftovers(group, topics, stop):
            self._drain(group, topics, handler, stop, max_records, park_keys=park_keys)
        self._until_answered(group, stop, lambda: self._kafka.register(group, topics))
        self._until_answered(group, stop, lambda: self._kafka.adopt(group, topics))
        self._kafka.consume(group, topics, handler, stop=stop, max_records=max_records, park_keys=park_keys)

    def lag(self, group: str) -> Mapping[tuple[str, int], int]:
        """See the port; with what the log still holds. A group that has not begun on Kafka is behind there by all."""
        in_log = self._log.lag(group)
        together = dict(self._kafka.lag(group))
        missing = {topic for topic, _ in in_log} - {topic for topic, _ in together}
        if missing:
            self._kafka.register(group, missing)
            together = dict(self._kafka.lag(group))
        for place, behind in in_log.items():
            together[place] = together.get(place, 0) + behind
        return together

    def gauges(self) -> Sequence[Gauge]:
        """Of both: records add up, of everything else the larger counts. Raises ``Unavailable``."""
        together: dict[tuple[str, frozenset[tuple[str, str]]], Gauge] = {}
        for gauge in (*self._kafka.gauges(), *self._log.gauges()):
            known = together.setdefault((gauge.name, frozenset(gauge.labels.items())), gauge)
            if known is not gauge:
                value = known.value + gauge.value if gauge.name == ADDED else max(known.value, gauge.value)
                together[gauge.name, frozenset(gauge.labels.items())] = known._replace(value=value)
        return list(together.values())

    def resume(self, group: str, topic: str, partition: int) -> bool:
        """As each of them. Raises ``Unavailable``, and ``Refused`` for an illegal topic."""
        found = self._log.resume(group, topic, partition)
        return self._kafka.resume(group, topic, partition) or found

    def register(self, group: str, topics: Collection[str]) -> None:
        """See ``Measured``; on Kafka, where the group will be."""
        self._kafka.register(group, topics)

    def close(self) -> None:
        """See the port."""
        self._kafka.close()
        self._log.close()

    def _leftovers(self, group: str, topics: Collection[str], stop: Event) -> int:
        """Records that the group has not handled in the log; 0 when it is told to stop."""

        def count() -> int:
            return sum(behind for (topic, _), behind in self._log.lag(group).items() if topic in topics)

        return self._until_answered(group, stop, count) or 0

    def _register(self, group: str, topics: Collection[str], stop: Event) -> None:
        """So that all that waits counts as lag while the log is emptied, which the brokers need not be there for."""
        self._until_answered(group, stop, lambda: self._log.register(group, topics))
        try:
            self._kafka.register(group, topics)
        except Unavailable as error:
            logger.warning("%s: looking at the log first: %s", group, error)

    def _until_answered(self, group: str, stop: Event, ask: Callable[[], _Answer]) -> _Answer | None:
        """The answer; None when it is told to stop before there is one."""
        failures, told, tell_at = 0, "", 0.0
        while not stop.is_set():
            try:
                return ask()
            except Unavailable as error:
                failures += 1
                if str(error) != told or time.monotonic() >= tell_at:
                    told, tell_at = str(error), time.monotonic() + TELL_SECONDS
                    logger.warning("%s: cannot begin on Kafka yet: %s", group, error)
                stop.wait(self._away.seconds(failures))
        return None

    def _tell_stopped(self, group: str) -> None:
        for gauge in self._log.gauges():
            if gauge.name == "transport_stopped" and gauge.value and gauge.labels["group"] == group:
                logger.critical(
                    "%s: cannot begin on Kafka, because the log's partition %s/%s has STOPPED with records left: see "
                    "`dead-letters list`, then `dead-letters resume`",
                    *(gauge.labels[name] for name in ("group", "topic", "partition")),
                )

    def _drain(
        self,
        group: str,
        topics: Collection[str],
        handler: Handler,
        stop: Event,
        max_records: int,
        *,
        park_keys: bool,
    ) -> None:
        """Consumes from the log until nothing is left for the group."""
        began = time.monotonic()
        logger.info("%s: handling what the log in the database still holds", group)
        drained = Event()

        def watch() -> None:
            tell_at = 0.0
            while not stop.wait(LOOK_SECONDS) and self._leftovers(group, topics, stop):
                if time.monotonic() >= tell_at:
                    self._until_answered(group, stop, lambda: self._tell_stopped(group))
                    tell_at = time.monotonic() + TELL_SECONDS
            drained.set()

        watcher = threading.Thread(target=watch, name=f"{group} handover", daemon=True)
        watcher.start()
        self._log.consume(group, topics, handler, stop=drained, max_records=max_records, park_keys=park_keys)
        watcher.join()
        logger.info("%s: the log is empty after %.1f s", group, time.monotonic() - began)
