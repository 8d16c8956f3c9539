"""Data that our own code or the database does not take: a defect of ours, but one that strangers find first.

Whoever sends such a thing must not stop a partition for everybody, so what raises one of these is passed over as what
cannot be decoded is, kept to be looked at, and logged as an error. An outage is none of them and still raises.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import psycopg
from psycopg import errors

from consumers.capture.wire.refusals import CaptureRefused, Unhandled

T = TypeVar("T")

READING_FAULTS: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""Of code that only reads what is in its hands."""

STORING_FAULTS: tuple[type[Exception], ...] = (
    *READING_FAULTS,
    psycopg.DataError,
    errors.CheckViolation,
    errors.NotNullViolation,
    errors.ProgramLimitExceeded,
)
"""Of code that writes too, in a savepoint: after an error of the database nothing else is left of the transaction."""


def unhandled(fault: Exception) -> Unhandled:
    """What is counted and kept; `fault` is its cause."""
    refusal = Unhandled(f"Reading or storing the message raised {type(fault).__name__}.")
    refusal.__cause__ = fault
    return refusal


def first_fault(refusals: list[CaptureRefused]) -> Unhandled | None:
    """For the log: one trace of many, as strangers decide how many there are."""
    return next((one for one in refusals if isinstance(one, Unhandled)), None)


def store_in_halves(
    conn: psycopg.Connection, found: Sequence[T], store: Callable[[Sequence[T]], None]
) -> Iterator[tuple[T, Unhandled]]:
    """Stores things together; when that fails with one, in halves, until it stands alone. Yields what is not stored.

    Each try is a savepoint, so that nothing is left of one that failed.
    """
    if not found:
        return
    try:
        with conn.transaction():
            store(found)
    except STORING_FAULTS as fault:
        refusal = unhandled(fault)
    else:
        return
    if len(found) == 1:
        yield found[0], refusal
        return
    middle = len(found) // 2
    yield from store_in_halves(conn, found[:middle], store)
    yield from store_in_halves(conn, found[middle:], store)
