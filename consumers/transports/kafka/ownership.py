"""Whose the topics under a prefix are: the first record of a topic beside them holds the installation's id.

Two installations with one prefix on the same brokers would share topics and consumer groups: each would handle a part
of the other's records, and lose a part of its own.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from uuid import UUID

from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.structs import TopicPartition

from consumers.transports.kafka.client_types import Admin
from consumers.transports.kafka.clients import Clients
from consumers.transports.kafka.publishing import Message, Publishing
from consumers.transports.kafka.watching import Watching
from consumers.transports.port import Unavailable
from consumers.transports.settings import LogSettings

logger = logging.getLogger(__name__)

TOPIC = "installation"


def claim_topics(clients: Clients, settings: LogSettings, mine: UUID, seconds: float) -> None:
    """Writes this installation's id there if nobody has, and reads whose it is.

    Of two that write at the same time the first has them. Waits for each answer of the brokers for ``seconds``.

    Raises ``Unavailable`` when the topics belong to another installation, or when the brokers do not answer.
    """
    partition = TopicPartition(settings.stored_name(TOPIC), 0)
    watching = Watching(clients, seconds)
    try:
        with closing(clients.admin()) as admin:
            _make(admin, partition.topic)
        held = watching.bounds([partition]).get(partition)
        if held is None:
            raise Unavailable(f"no broker leads {partition.topic}")
        if held.begin == held.end:
            _write(clients, partition, mine, seconds)
        owner = watching.value(partition, held.begin)
    except KafkaError as error:
        raise Unavailable(f"could not look whose topics those of {settings.prefix!r} are: {error}") from error
    finally:
        watching.close()
    if owner != str(mine).encode():
        raise Unavailable(
            f"the topics that begin with {settings.prefix!r} belong to another installation: set "
            "REPLAY_VISION_KAFKA_TOPIC_PREFIX to something else"
        )


def _make(admin: Admin, name: str) -> None:
    (described,) = admin.describe_topics([name])
    if described["error_code"] == 0:
        return
    # The record is wanted for as long as there are topics.
    wanted = {"num_partitions": 1, "configs": {"cleanup.policy": "delete", "retention.ms": "-1"}}
    try:
        admin.create_topics({name: wanted}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        logger.info("topic %s was made by another process", name)


def _write(clients: Clients, partition: TopicPartition, mine: UUID, seconds: float) -> None:
    value = str(mine).encode()
    publishing = Publishing(clients, len(value))
    try:
        message = Message(partition.topic, partition.partition, None, value, [], len(value))
        publishing.send([message], time.monotonic() + seconds)
    finally:
        publishing.close()
