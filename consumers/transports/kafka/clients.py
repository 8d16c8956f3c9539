"""Clients of kafka-python 3.0, with the settings that differ from its defaults and why.

Constructors ask a broker for its version and raise ``KafkaTimeoutError`` when none answers, so they are called where
somebody retries, never while a process starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from consumers.transports.kafka.client_types import Admin, Consumer, Producer
from consumers.transports.port import MAX_RECORD_BYTES
from consumers.transports.settings import KafkaSettings, LogSettings

BATCH_OVERHEAD_BYTES = 1024 * 1024
"""What a batch of one record may have beyond the record: its frame, and what compression adds to random bytes."""

PRODUCER_BATCH_BYTES = 64 * 1024
"""A third more records a second than the default of 16 KiB (kafka 5)."""

NEVER_EXPIRE_MS = 24 * 3600 * 1000
"""A batch that expires on its own would let later batches of its partition pass it; publishing gives up itself."""


MAX_CAUSE_CHARACTERS = 300

_ADVICE = (
    ("CERTIFICATE_VERIFY_FAILED", "check the CA file, and the name that the brokers are called by"),
    ("Handshake failed", "check whether the port is one for TLS"),
    ("SaslAuthenticationFailedError", "check user name and password"),
    ("UnsupportedSaslMechanismError", "check the SASL mechanism"),
    ("IllegalSaslStateError", "check the security protocol: the port takes no SASL"),
    ("Invalid frame length", "check the security protocol: the port may be one for TLS"),
    # What brokers do to strangers. The client often reads that before the broker's answer, which it then throws away.
    ("socket disconnected", "check the security protocol, and with SASL its mechanism, user name and password"),
)
"""Words of an error of the client, and where to look then; the first that fits counts, and the earlier tells more."""

# Without the types of release 2.
_producer: Any = KafkaProducer
_consumer: Any = KafkaConsumer
_admin: Any = KafkaAdminClient
_network: Any = KafkaNetClient
_manager: Any = KafkaConnectionManager
_selector: Any = NetworkSelector


_Client = TypeVar("_Client")


class NotReached(KafkaError):
    """No broker could be used. Says why in one line, without credentials."""

    def __str__(self) -> str:
        return str(self.args[0])


class _Network:
    """The connections of one client, and the error among theirs that tells most.

    The client itself (3.0.12) only logs why a connection failed, and then says that it has tried.
    """

    def __init__(self, **settings: object) -> None:
        self.cause = ""
        selector = _selector(**settings)
        manager = _manager(selector, **settings)
        connect = manager.get_connection

        def watched(*args: object, **given: object) -> Any:
            connection = connect(*args, **given)
            if not connection.init_future.is_done:
                connection.init_future.add_errback(self._note)
                connection.close_future.add_errback(self._note)
            return connection

        manager.get_connection = watched
        self.client = _network(selector, manager, **settings)

    def _note(self, error: Exception) -> None:
        text = str(error.args[0]) if error.args else type(error).__name__
        # When there is no time left, the last try has none to learn anything.
        if not self.cause or _rank(text) < _rank(self.cause):
            self.cause = text

    def reason(self) -> str:
        """One line with what to check; empty when no connection failed."""
        rank = _rank(self.cause)
        advice = f" ({_ADVICE[rank][1]})" if rank < len(_ADVICE) else ""
        text = "".join(letter if letter.isprintable() else " " for letter in self.cause)
        return f"{text[:MAX_CAUSE_CHARACTERS]}{advice}"


def _rank(cause: str) -> int:
    return next((rank for rank, (words, _) in enumerate(_ADVICE) if words in cause), len(_ADVICE))


class Clients:
    """Makes clients for one cluster. Each method may raise ``KafkaError``; ``NotReached`` tells the operator why.

    ``away`` says that no broker answered the last time that a client was made. Whoever would wait for one in a crowd
    should rather give up then.
    """

    def __init__(self, settings: KafkaSettings, log: LogSettings) -> None:
        self._settings = settings
        self._log = log
        self._answer_ms = int(settings.answer_seconds * 1000)
        common: dict[str, object] = {
            "bootstrap_servers": list(settings.bootstrap_servers),
            "client_id": "replay-vision",
            "security_protocol": settings.security_protocol,
            # Below the time in which a worker has to end.
            "bootstrap_timeout_ms": min(1_500, self._answer_ms),
            # The default of 30 s makes it late after an outage.
            "reconnect_backoff_max_ms": int(settings.reconnect_seconds * 1000),
            "ssl_cafile": settings.ca_file,
        }
        if settings.sasl_mechanism is not None:
            common |= {
                "sasl_mechanism": settings.sasl_mechanism,
                "sasl_plain_username": settings.username,
                "sasl_plain_password": settings.password,
            }
        self._common = common
        self.away = False

    def producer(self) -> Producer:
        """One that keeps the order of each partition: idempotent, and without expiry of single batches."""
        patience = max(1, int(self._log.publish_seconds * 1000))
        return self._made(
            _producer,
            acks="all",
            enable_idempotence=True,
            compression_type=self._settings.compression,
            batch_size=PRODUCER_BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES + BATCH_OVERHEAD_BYTES,
            max_block_ms=patience,
            request_timeout_ms=patience,
            delivery_timeout_ms=NEVER_EXPIRE_MS,
            allow_auto_create_topics=False,
        )

    def member(self, group: str) -> Consumer:
        """A member of a consumer group, which is given partitions; its position is never taken from Kafka."""
        session = int(self._settings.session_seconds * 1000)
        return self._made(
            _consumer,
            group_id=group,
            session_timeout_ms=session,
            heartbeat_interval_ms=session // 4,
            max_poll_interval_ms=int(self._settings.poll_interval_seconds * 1000),
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            # Bounds the memory of a worker. A single larger record is fetched all the same (KIP-74).
            fetch_max_bytes=self._log.handle_batch_bytes,
            max_partition_fetch_bytes=self._log.handle_batch_bytes,
            request_timeout_ms=max(10_000, session),
        )

    def watcher(self) -> Consumer:
        """A consumer outside of any group, for questions about offsets."""
        return self._made(
            _consumer,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            # One batch a partition: only the time of its first record is wanted.
            max_partition_fetch_bytes=1,
            fetch_max_wait_ms=100,
            request_timeout_ms=self._answer_ms,
        )

    def admin(self) -> Admin:
        """For making and describing topics."""
        return self._made(_admin, request_timeout_ms=self._answer_ms)

    def _made(self, make: Callable[..., _Client], **given: object) -> _Client:
        """Constructors that fail (3.0.12) leave their thread and sockets behind, so their network is ended here."""
        networks: list[_Network] = []

        def network(**settings: object) -> object:
            networks.append(_Network(**settings))
            return networks[-1].client

        try:
            client = make(**self._common, **given, kafka_client=network)
        except KafkaError as error:
            self.away = True
            for left in networks:
                left.client.close()
            reason = "".join(left.reason() for left in networks) or str(error)
            servers = ", ".join(self._settings.bootstrap_servers)
            raise NotReached(f"no broker could be used at {servers}: {reason}") from error
        self.away = False
        return client
