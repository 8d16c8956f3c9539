"""Arrays of bytes reach PostgreSQL as psycopg's own would."""

import random

import psycopg
import pytest

from consumers.transports.arrays import Bytes

NOISE = random.Random(1).randbytes(3_000_000)


@pytest.mark.parametrize(
    "items",
    [[], [b""], [b"", b"", b""], [b"\0", b"\\x00", b"{}", b"NULL"], [NOISE, b"", NOISE[:70_000]], [b"z"] * 1_000],
)
def test_what_goes_in_is_what_there_is(database_url: str, items: list[bytes]) -> None:
    with psycopg.connect(database_url) as conn:
        row = conn.execute(
            "SELECT given, given = own, cardinality(given), (SELECT sum(length(one)) FROM unnest(given) AS one (one))"
            " FROM (SELECT %b::bytea[], %b::bytea[]) AS two (given, own)",
            (Bytes(items), items),
        ).fetchone()
    assert row == (items, True, len(items), sum(map(len, items)) if items else None)
