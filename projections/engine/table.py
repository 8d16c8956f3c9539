"""A read table as a projection writes it: rows loaded by key, folded in Python, put back by one set-based upsert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

from psycopg import Connection

R = TypeVar("R")


class Table(Generic[R]):
    """`row` is a dataclass whose fields, in order, are the keys of `columns`: name to PostgreSQL type.

    json columns are text in Python and keep their exact form; arrays go as lists. Tables are named without a schema.
    """

    def __init__(self, name: str, row: type[R], key: Sequence[str], columns: Mapping[str, str]) -> None:
        self.name = name
        self._row = row
        self._values = attrgetter(*columns)
        self._arrays = {i for i, kind in enumerate(columns.values()) if kind.endswith("[]")}
        self._select = ", ".join(f"{column}::text" if kind == "json" else column for column, kind in columns.items())
        self._upsert = _upsert(name, key, columns)

    def load(self, connection: Connection, column: str, values: Iterable[Any]) -> list[R]:
        """The rows whose `column` has one of the values."""
        statement = f"SELECT {self._select} FROM {self.name} WHERE {column} = ANY(%s)"  # noqa: S608 - names of our own
        rows = connection.execute(statement.encode(), (list(values),), prepare=True)
        return [self._row(*row) for row in rows]

    def put(self, connection: Connection, rows: Sequence[R]) -> None:
        """Inserts or replaces the rows, each key at most once."""
        if not rows:
            return
        columns = [list(values) for values in zip(*map(self._values, rows), strict=True)]
        for i in self._arrays:
            columns[i] = [_literal(values) for values in columns[i]]
        connection.execute(self._upsert, columns, prepare=True)


def text(value: str) -> str:
    """Text as a column can hold it: PostgreSQL has no NUL."""
    return value.replace("\x00", "\ufffd")


def _upsert(name: str, key: Sequence[str], columns: Mapping[str, str]) -> bytes:
    def sent(kind: str) -> str:
        return "text" if kind == "json" or kind.endswith("[]") else kind

    arrays = ", ".join(f"%s::{sent(kind)}[]" for kind in columns.values())
    picked = ", ".join(f"u.{column}::{kind}" for column, kind in columns.items())
    changed = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    names = ", ".join(columns)
    action = f"UPDATE SET {changed}" if changed else "NOTHING"
    return (
        f"INSERT INTO {name} ({names}) SELECT {picked} FROM unnest({arrays}) AS u({names}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(key)}) DO {action}"
    ).encode()


def _literal(values: Sequence[Any] | None) -> str | None:
    """An array in PostgreSQL's text form: unnest would flatten an array of arrays."""
    if values is None:
        return None
    escaped = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"
