"""What an operator may set about the transports. Values are passed down from the composition root."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from consumers.transports.poison import PoisonCap
from consumers.transports.port import Refused

_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,55}")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting times that double with each failure in a row, in seconds."""

    first: float
    longest: float

    def seconds(self, failures: int) -> float:
        """How long to wait after that many failures in a row, 1 or more."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 30))


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What both transports go by; trimming is the PostgreSQL log's alone."""

    prefix: str = "vision."
    """Before every topic's name, so that installations can share a broker or a database."""
    existing: Collection[str] = ()
    """Topics of others on the brokers, by their whole names: read as they are, never made and never published to."""
    partitions: int = 6
    """For topics made from now on; at most 256. The number of an existing topic stays."""
    partitions_of: Mapping[str, int] = field(default_factory=dict[str, int])
    """Exceptions, by topic without prefix."""
    publish_batch_records: int = 1_000
    publish_batch_bytes: int = 8 * 1024 * 1024
    """A larger publish is stored in several transactions. One larger record goes alone."""
    publish_seconds: float = 5.0
    """How long a publish tries before it is ``Unavailable``."""
    handle_batch_bytes: int = 16 * 1024 * 1024
    """Most bytes handed to a handler at once; one larger record goes alone."""
    poll_seconds: float = 1.0
    """Longest wait for a notification, which may be lost."""
    failed: Backoff = Backoff(first=0.5, longest=30.0)
    """How long a partition rests after a handler's error."""
    away: Backoff = Backoff(first=0.2, longest=5.0)
    """How long a worker waits before it connects again."""
    silence: timedelta = timedelta(minutes=5)
    """A worker that holds a partition and says nothing to the database for so long loses it."""
    poison: PoisonCap = field(default_factory=PoisonCap)
    retention: timedelta = timedelta(days=7)
    """The PostgreSQL log drops records that every group has handled at this age, and knows their ids until then."""
    trim_every: timedelta = timedelta(minutes=1)
    trim_chunk: int = 200
    """Records dropped in one transaction, for each partition."""
    remember: timedelta = timedelta(days=2)
    """How long event ids are remembered where the transport keeps repetitions (Kafka)."""

    def stored_name(self, topic: str) -> str:
        """The topic's name in the log. Raises ``Refused`` unless it is 1 to 56 of ``A-Za-z0-9._-``."""
        name = topic if topic in self.existing else self.prefix + topic
        if not topic or not _TOPIC.fullmatch(name):
            raise Refused(f"not a topic name: {name!r}")
        return name

    def partition_count(self, topic: str) -> int:
        return self.partitions_of.get(topic, self.partitions)


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach the brokers, and how patient to be with them. Security settings are those of Kafka's clients."""

    bootstrap_servers: Sequence[str]
    """Addresses as ``host:port``."""
    security_protocol: str = "PLAINTEXT"
    """``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``."""
    sasl_mechanism: str | None = None
    """``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """Path of the PEM file with the authorities that may sign the brokers' certificates; unset: the system's."""
    compression: str | None = "zstd"
    record_bytes_of: Mapping[str, int] = field(default_factory=dict[str, int])
    """Largest record of a topic without prefix, in bytes; the port's limit for topics that are not named."""
    session_seconds: float = 10.0
    """A worker that says nothing for so long loses its partitions."""
    poll_interval_seconds: float = 60.0
    """The same for one whose handler takes so long."""
    answer_seconds: float = 2.0
    """How long small questions and new connections may take."""
    reconnect_seconds: float = 1.0
    """Longest pause before the client connects again."""
    commit_seconds: float = 5.0
    """How often positions are told to the brokers, for tools that watch lag there. Nothing reads them back."""
    stuck_seconds: float = 15.0
    """A worker that twice in a row, so far apart, finds its group standing still before records joins it anew."""
    publishing_bytes: int = 64 * 1024 * 1024
    """Most bytes that a process has under way to the brokers; further publishers wait for room."""


def checked_group(group: str) -> str:
    """Raises ``Refused`` unless it is 1 to 100 of ``A-Za-z0-9._-``."""
    if not _GROUP.fullmatch(group):
        raise Refused(f"not a group name: {group!r}")
    return group
