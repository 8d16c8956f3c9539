"""Statements over sessions that a user's query can make slow: they are cancelled before anybody waits for long."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]

# Compiling a statement that reads a few hundred sessions takes longer than running it.
_SETTINGS = "SELECT set_config('statement_timeout', %s, true), set_config('jit', 'off', true)"


class TooSlow(Exception):
    """It took longer than it may, or more than the database spends on a regular expression. Not now, later perhaps."""


@contextmanager
def in_time(connection: Connection, seconds: float, *, one_moment: bool = False) -> Generator[Connection]:
    """A transaction whose statements are cancelled after so many seconds each. Raises TooSlow.

    With `one_moment` all of them see the same, and can only read. PostgreSQL gives up at a pattern by its own measure
    as well ("too complex"); ours is meant to be the smaller one.
    """
    try:
        with connection.transaction():
            if one_moment:
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(_SETTINGS, (f"{round(seconds * 1000)}ms",))
            yield connection
    except psycopg.errors.QueryCanceled as error:
        raise TooSlow(f"the sessions could not be looked through in {seconds:g} s") from error
    except psycopg.errors.InvalidRegularExpression as error:
        raise TooSlow("a pattern is too much for the database") from error
