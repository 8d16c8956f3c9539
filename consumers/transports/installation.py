"""Which transport and which prefix an installation runs on: kept in the database, so that a change is noticed.

Records that groups have not handled are on the transport of before. From the log to Kafka they are handled first
(``handover``); every other change would leave them behind, and is refused until nothing is left.
"""

from __future__ import annotations

import logging
from uuid import UUID

import psycopg

logger = logging.getLogger(__name__)

KNOWN_SECONDS = 1.0
"""How long a process goes by what it has read of the installation."""

LEAVE = "`replay-vision admin leave-kafka`"

NAMES = {"postgres": "the log in the database", "kafka": "Kafka"}

_LOOK = "SELECT transport, prefix FROM log.installation"
_LOCK = f"{_LOOK} FOR UPDATE"
_SET = "UPDATE log.installation SET transport = %s, prefix = %s, quiet_until = NULL"
_NAME = "UPDATE log.installation SET id = coalesce(id, gen_random_uuid()) RETURNING id"
_KNOWN = "SELECT id FROM log.installation WHERE id IS NOT NULL"

_CHANGING = "SELECT pg_advisory_xact_lock(hashtext('log.installation'))"
_QUIET = """
UPDATE log.installation SET quiet_until = clock_timestamp() + make_interval(secs => %s) WHERE transport = 'kafka'
"""
_IS_QUIET = "SELECT transport = 'kafka' AND quiet_until > clock_timestamp() FROM log.installation"
_MAY_PUBLISH = """
SELECT transport IS DISTINCT FROM 'postgres' AND coalesce(quiet_until < clock_timestamp(), true) FROM log.installation
"""

_LEFT_IN_LOG = """
SELECT count(*) FROM log.topic t JOIN log.partition pa ON pa.topic_id = t.id
WHERE t.transport = 'postgres' AND starts_with(t.name, %s) AND EXISTS (
    SELECT FROM log.record r WHERE r.topic_id = pa.topic_id AND r.part = pa.part AND r.off > coalesce(
        (SELECT min(po.off) FROM log.position po WHERE po.topic_id = pa.topic_id AND po.part = pa.part), 0))
"""

_LETTERS = "SELECT count(*) FROM log.dead_letter WHERE transport = %s"


class Unsafe(Exception):
    """The change of transport or prefix would leave records behind; the text says what to do."""


def installation_id(conn: psycopg.Connection) -> UUID:
    """What tells this installation from others on the same brokers."""
    known = conn.execute(_KNOWN).fetchone() or conn.execute(_NAME).fetchone()
    assert known is not None  # noqa: S101 - the row is made by the migration
    return known[0]


def settle_on(conn: psycopg.Connection, transport: str, prefix: str) -> None:
    """Notes what the settings say. Raises ``Unsafe`` when that would leave records behind.

    ``transport``: ``postgres`` or ``kafka``. ``prefix``: of the topics' names.
    """
    with conn.transaction():
        conn.execute(_CHANGING)
        ((before, prefix_before),) = conn.execute(_LOCK)
        if (before, prefix_before) == (transport, prefix):
            return
        if before == "kafka":
            _refuse_to_leave_kafka(transport, prefix_before)
        if before == "postgres" and prefix != prefix_before:
            _refuse_leftovers(conn, prefix_before)
        conn.execute(_SET, (transport, prefix))
    if before is not None:
        logger.warning("this installation runs on %s from now on, topic prefix '%s'", NAMES[transport], prefix)


def refuse_other(conn: psycopg.Connection, transport: str, prefix: str) -> None:
    """Raises ``Unsafe`` when the installation's processes were told something else."""
    ((running_on, known),) = conn.execute(_LOOK)
    if running_on is not None and (running_on, known) != (transport, prefix):
        raise Unsafe(
            f"the processes of this installation run on {NAMES[running_on]} with the topic prefix '{known}'; this "
            f"command is set to {NAMES[transport]} with '{prefix}': see REPLAY_VISION_KAFKA_BOOTSTRAP_SERVERS and "
            "REPLAY_VISION_KAFKA_TOPIC_PREFIX"
        )


def may_publish_to_kafka(conn: psycopg.Connection) -> bool:
    """Whether the installation is on Kafka, and stays there."""
    ((may,),) = conn.execute(_MAY_PUBLISH)
    return may


def quieten_kafka(conn: psycopg.Connection, seconds: float) -> None:
    """Keeps every process from publishing to Kafka for so long, from ``KNOWN_SECONDS`` on; 0 lets them again.

    To be repeated by whoever waits, so that nothing stays quiet when that one dies. Raises ``Unsafe`` when the
    installation does not run on Kafka.
    """
    if conn.execute(_QUIET, (seconds,)).rowcount != 1:
        raise Unsafe("this installation does not run on Kafka")


def leave_kafka(conn: psycopg.Connection) -> None:
    """Lets the next start run on the log. The caller has seen that no group is behind on Kafka, in the quiet.

    Raises ``Unsafe`` when the quiet has ended.
    """
    with conn.transaction():
        ((_, prefix),) = conn.execute(_LOCK)
        if conn.execute(_IS_QUIET).fetchone() != (True,):
            raise Unsafe("it took too long; try again")
        conn.execute(_SET, ("postgres", prefix))


def _refuse_to_leave_kafka(transport: str, prefix: str) -> None:
    if transport == "kafka":
        raise Unsafe(
            f"this installation's topics begin with '{prefix}': set REPLAY_VISION_KAFKA_TOPIC_PREFIX to that, or run "
            f"{LEAVE} with it before it is changed"
        )
    raise Unsafe(
        "this installation runs on Kafka, where records may still wait: set REPLAY_VISION_KAFKA_BOOTSTRAP_SERVERS, or "
        f"run {LEAVE} with the brokers set first"
    )


def _refuse_leftovers(conn: psycopg.Connection, prefix: str) -> None:
    ((behind,),) = conn.execute(_LEFT_IN_LOG, (prefix,))
    ((letters,),) = conn.execute(_LETTERS, ("postgres",))
    if behind or letters:
        raise Unsafe(
            f"{behind} partitions of topics that begin with '{prefix}' are not handled to their end and there are "
            f"{letters} dead letters: start once more with REPLAY_VISION_KAFKA_TOPIC_PREFIX='{prefix}', let the "
            "workers catch up, and replay or discard the letters"
        )
