"""What a command says when it cannot go on."""

from __future__ import annotations

from pydantic import ValidationError

from api.settings import PREFIX


class Failure(Exception):
    """The command ends here; the message tells the user what to do."""


def settings_problem(error: ValidationError) -> str:
    """One line a setting, by the name it has in the environment."""
    lines = [f"{PREFIX}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors() if item["loc"]]
    return "; ".join(lines) or str(error)
