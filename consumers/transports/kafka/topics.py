"""Topics on the brokers: made with an explicit number of partitions and message size, or checked before use."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

import psycopg
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError
from psycopg.rows import TupleRow

from consumers.transports.installation import installation_id
from consumers.transports.kafka.client_types import Admin
from consumers.transports.kafka.clients import BATCH_OVERHEAD_BYTES, Clients
from consumers.transports.kafka.ownership import claim_topics
from consumers.transports.port import MAX_RECORD_BYTES, Refused, Unavailable
from consumers.transports.settings import KafkaSettings, LogSettings

logger = logging.getLogger(__name__)

TRANSPORT = "kafka"
OLDEST = -2
"""In place of an offset: where the group starts is not known yet (as in Kafka's ListOffsets)."""

_Connection = psycopg.Connection[TupleRow]
_Answer = TypeVar("_Answer")


class AskDatabase(Protocol):
    """Runs a question on a connection and answers what it answers. It is not called while a broker is waited for."""

    def __call__(self, question: Callable[[_Connection], _Answer], /) -> _Answer: ...


_MAKE = "SELECT id FROM log.make_topic(%s, %s, 'kafka')"
_LOCK = "SELECT partitions, broker_id FROM log.topic WHERE id = %s FOR NO KEY UPDATE"
_ADOPT = "UPDATE log.topic SET broker_id = %s, partitions = %s WHERE id = %s"
_BEGIN_AGAIN = "UPDATE log.position SET off = %s, epoch = epoch + 1, updated_at = now() WHERE topic_id = %s"
_PREFIX = "UPDATE log.topic SET prefix = %(prefix)s WHERE id = %(id)s AND prefix IS DISTINCT FROM %(prefix)s"
_PARTITIONS = """
INSERT INTO log.partition (topic_id, part) SELECT %s, generate_series(0, %s - 1) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is on the broker and in the database."""

    topic_id: int
    """Its number in ``log.topic``."""
    name: str
    """With the installation's prefix."""
    partitions: int
    """Where records are published: as many as it had at first, so that no key moves."""
    all_partitions: int
    """Where records are read: also those that somebody has added since."""
    record_bytes: int
    """The largest record that may be published."""
    incarnation: str
    """Another when the topic is made anew."""


@dataclass(frozen=True, slots=True)
class _OnBroker:
    broker_id: UUID | None
    partitions: int
    message_bytes: int


class Topics:
    """Knows each topic after one look. Safe to share between threads."""

    def __init__(self, clients: Clients, settings: LogSettings, kafka: KafkaSettings) -> None:
        self._clients = clients
        self._settings = settings
        self._kafka = kafka
        self._known: dict[str, Topic] = {}
        self._doubtful: set[str] = set()
        self._lock = threading.Lock()
        self._claimed = False
        self._trouble = ""

    def known(self, topic: str) -> Topic | None:
        """What an earlier look found; None when it is time to look. The topic is named without the prefix.

        A doubtful topic is looked at again, but not while no broker answers: it is no worse than before then.
        """
        return None if topic in self._doubtful and not self._clients.away else self._known.get(topic)

    def doubt(self, topic: str) -> None:
        """After a trouble that may have come from a topic that changed."""
        self._doubtful.add(topic)

    def look(self, topic: str, ask: AskDatabase, seconds: float) -> Topic:
        """Makes the topic if it is missing, and checks it. ``ask`` is given what to do on a connection.

        One of others (LogSettings.existing) is taken as it is; while it is missing, the broker counts as not answering.

        Raises ``Unavailable`` when the broker does not answer, when others look for longer than ``seconds``, or when
        the topic cannot hold what is published to it or belongs to another installation; ``Refused`` for an illegal
        name; and what ``ask`` raises.
        """
        name = self._settings.stored_name(topic)
        needed = self.record_bytes(topic)
        mine = ask(installation_id)
        # While no broker answers, one tries and the crowd is told at once what that one met.
        if not self._lock.acquire(timeout=0 if self._clients.away else seconds):
            trouble = self._trouble if self._clients.away else ""
            raise Unavailable(trouble or f"could not look at topic {name} in time")
        try:
            self._claim(mine)
            found = self._found(name, topic, needed)
        except Unavailable as error:
            self._trouble = str(error)
            raise
        except Exception as error:  # what the client raises when its state is not what it expects
            logger.exception("unexpected, while looking at topic %s", name)
            raise Unavailable(f"could not look at topic {name}: {error!r}") from error
        finally:
            self._lock.release()
        if found.message_bytes < needed and topic not in self._settings.existing:
            raise Unavailable(
                f"topic {name} takes messages of {found.message_bytes} bytes at most and needs {needed}: raise its "
                "max.message.bytes"
            )
        known = self._known[topic] = ask(lambda conn: self._adopted(conn, name, topic, found))
        self._doubtful.discard(topic)
        return known

    def _claim(self, mine: UUID) -> None:
        """Once in a process, whoever looks first. Raises ``Unavailable``."""
        if not self._claimed:
            claim_topics(self._clients, self._settings, mine, self._kafka.answer_seconds)
            self._claimed = True

    def _found(self, name: str, topic: str, needed: int) -> _OnBroker:
        try:
            with closing(self._clients.admin()) as admin:
                found = self._describe(admin, name)
                if found is None and topic in self._settings.existing:
                    raise Unavailable(f"there is no topic {name} on the brokers, and it is not ours to make")
                return found or self._make(admin, name, topic, needed)
        except KafkaError as error:
            raise Unavailable(f"could not look at topic {name}: {error}") from error

    def record_bytes(self, topic: str) -> int:
        """The largest record of a topic, in bytes of key, value and headers."""
        return min(MAX_RECORD_BYTES, self._kafka.record_bytes_of.get(topic, MAX_RECORD_BYTES))

    def _describe(self, admin: Admin, name: str) -> _OnBroker | None:
        (described,) = admin.describe_topics([name])
        if described["error_code"] == 3:  # noqa: PLR2004 - UNKNOWN_TOPIC_OR_PARTITION of the protocol
            return None
        if described["error_code"] != 0:
            raise KafkaError(f"describing {name} failed with error {described['error_code']} of the protocol")
        resource = ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": ""})
        configs = admin.describe_configs([resource], config_filter="all")["topic"][name]
        broker_id = described["topic_id"]
        return _OnBroker(
            None if broker_id is None else UUID(str(broker_id)),
            len(described["partitions"]),
            int(configs["max.message.bytes"]["value"]),
        )

    def _make(self, admin: Admin, name: str, topic: str, needed: int) -> _OnBroker:
        configs = {
            "cleanup.policy": "delete",
            "max.message.bytes": str(needed + BATCH_OVERHEAD_BYTES),
            "retention.ms": str(int(self._settings.retention.total_seconds() * 1000)),
            # The port promises when the transport took a record, whatever clock the publisher has.
            "message.timestamp.type": "LogAppendTime",
        }
        wanted = {name: {"num_partitions": self._settings.partition_count(topic), "configs": configs}}
        try:
            admin.create_topics(wanted, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            logger.info("topic %s was made by another process", name)
        else:
            logger.info("made topic %s with %d partitions", name, self._settings.partition_count(topic))
        found = self._describe(admin, name)
        if found is None or found.partitions == 0:
            raise KafkaError(f"topic {name} is being made")
        return found

    def _adopted(self, conn: _Connection, name: str, topic: str, found: _OnBroker) -> Topic:
        with conn.transaction():
            ((topic_id,),) = conn.execute(_MAKE, (name, found.partitions))
            ((partitions, broker_id),) = conn.execute(_LOCK, (topic_id,))
            if broker_id != found.broker_id or found.partitions < partitions:
                if broker_id is not None:
                    logger.critical(
                        "topic %s was made anew: what its groups had not handled of the old one is lost, and they "
                        "begin at the oldest record of the new one",
                        name,
                    )
                    conn.execute(_BEGIN_AGAIN, (OLDEST, topic_id))
                partitions = found.partitions
                conn.execute(_ADOPT, (found.broker_id, partitions, topic_id))
            elif found.partitions > partitions:
                logger.warning("topic %s has %d partitions; still publishing to %d", name, found.partitions, partitions)
            conn.execute(_PARTITIONS, (topic_id, found.partitions))
            conn.execute(_PREFIX, {"prefix": self._settings.prefix, "id": topic_id})
        return Topic(topic_id, name, partitions, found.partitions, self.record_bytes(topic), str(found.broker_id))


def checked_size(size: int, topic: Topic) -> None:
    """Raises ``Refused`` for a record that its topic cannot hold."""
    if size > topic.record_bytes:
        raise Refused(f"a record of {size} bytes is larger than the {topic.record_bytes} that {topic.name} takes")
