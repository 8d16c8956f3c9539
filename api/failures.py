"""What a command says when it cannot go on."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from api.settings import PREFIX
from consumers.transports.port import Unavailable


class Failure(Exception):
    """The command ends here; the message tells the user what to do."""


def outage(error: Exception) -> Failure:
    """What is away, for one of `api.bootstrap.OUTAGES`. The transport says itself what it is about."""
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    what = "the transport is not available" if isinstance(error, Unavailable) else "the database does not answer"
    return Failure(f"{what}: {reason}")


def settings_problem(error: ValidationError) -> str:
    """One line a setting, by the name it has in the environment. Never what it is set to: it may be a secret."""
    return "; ".join(_problem(item["loc"], item["msg"]) for item in error.errors())


def _problem(place: Sequence[int | str], message: str) -> str:
    """What concerns several settings names them itself."""
    text = message.removeprefix("Value error, ")
    return f"{PREFIX}{str(place[0]).upper()}: {text}" if place else text
