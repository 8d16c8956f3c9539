"""Comparing the tables of two generations of a projection, row by row, in one snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection, sql

from projections.engine.place import schema_of
from projections.engine.projection import Projection

EXAMPLES = 3
EXAMPLE_LENGTH = 300

_SHAPES = """
SELECT c.table_name, string_agg(c.column_name || ' ' || c.data_type, ', ' ORDER BY c.ordinal_position)
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = %s AND t.table_type = 'BASE TABLE' GROUP BY c.table_name
"""
# Rows as text: json columns are compared to the letter, for they are kept as they came.
_ROWS = """
WITH live AS (SELECT t::text AS row FROM {live}.{table} AS t WHERE NOT coalesce({hidden_live}, false)),
     built AS (SELECT t::text AS row FROM {built}.{table} AS t WHERE NOT coalesce({hidden_built}, false)),
     lost AS (SELECT row FROM live EXCEPT ALL SELECT row FROM built),
     new AS (SELECT row FROM built EXCEPT ALL SELECT row FROM live)
SELECT (SELECT count(*) FROM lost), (SELECT count(*) FROM new),
       ARRAY(SELECT '- ' || left(row, {length}) FROM lost ORDER BY row LIMIT {examples})
       || ARRAY(SELECT '+ ' || left(row, {length}) FROM new ORDER BY row LIMIT {examples})
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A table that differs: `lost` rows are only in the live generation, `new` ones only in the rebuilt.

    `reshaped` tables have other columns or exist on one side only, and their rows are not compared.
    """

    table: str
    lost: int
    new: int
    reshaped: bool
    examples: list[str]


def compare(connection: Connection, projection: Projection) -> list[Difference]:
    """Tables of the live and of the next generation that are not equal, as the caller's transaction sees them."""
    live, built = schema_of(projection.name), schema_of(projection.name, live=False)
    shapes = [dict(connection.execute(_SHAPES, (schema,)).fetchall()) for schema in (live, built)]
    differences: list[Difference] = []
    for table in sorted({*shapes[0], *shapes[1]}):
        columns = [shape.get(table) for shape in shapes]
        if columns[0] != columns[1]:
            differences.append(Difference(table, 0, 0, reshaped=True, examples=[f"- {columns[0]}", f"+ {columns[1]}"]))
            continue
        found = _rows(connection, projection, table, live, built)
        if found.lost or found.new:
            differences.append(found)
    return differences


def _rows(connection: Connection, projection: Projection, table: str, live: str, built: str) -> Difference:
    hidden = projection.hidden.get(table, "false")
    statement = sql.SQL(_ROWS).format(
        live=sql.Identifier(live),
        built=sql.Identifier(built),
        table=sql.Identifier(table),
        hidden_live=_condition(hidden, live),
        hidden_built=_condition(hidden, built),
        length=sql.Literal(EXAMPLE_LENGTH),
        examples=sql.Literal(EXAMPLES),
    )
    row = connection.execute(statement).fetchone()
    lost, new, examples = row or (0, 0, [])
    return Difference(table, lost, new, reshaped=False, examples=examples)


def _condition(hidden: str, schema: str) -> sql.Composed:
    before, placeholder, after = hidden.partition("{schema}")
    name = sql.Identifier(schema) if placeholder else sql.SQL("")
    return sql.Composed([sql.SQL("("), _trusted(before), name, _trusted(after), sql.SQL(")")])


def _trusted(text: str) -> sql.SQL:
    """A piece of a projection's own definition."""
    return sql.SQL(text)  # pyright: ignore[reportArgumentType]
