"""Data that our own code or the database does not take: a defect of ours, but one that strangers find first.

Whoever sends such a thing must not stop a partition for everybody, so what raises one of these is passed over as what
cannot be decoded is, kept to be looked at, and logged as an error. An outage is none of them and still raises.
"""

import psycopg
from psycopg import errors

from consumers.capture.refusals import CaptureRefused, Unhandled

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
