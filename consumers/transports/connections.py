"""The connection on which a worker handles batches."""

from __future__ import annotations

import psycopg
from psycopg.rows import TupleRow

from consumers.transports.settings import LogSettings


def work_connection(database_url: str, group: str, settings: LogSettings) -> psycopg.Connection[TupleRow]:
    """A connection that notices a dead peer within seconds, on both sides. Raises ``psycopg.OperationalError``."""
    conn = psycopg.connect(
        database_url,
        autocommit=True,
        connect_timeout=2,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=15_000,
        application_name=f"log {group}"[:63],
    )
    silence = str(int(settings.silence.total_seconds() * 1000))
    conn.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, false)", (silence,))
    return conn
