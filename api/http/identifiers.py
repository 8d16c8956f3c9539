"""Fields that hold the id of an object."""

from uuid import UUID

from pydantic import ValidationInfo

from api.http.errors import echo
from api.http.fields import Rule, alone, kind, not_null, problem, short

UUID_TEXT = 45
"""Characters of the longest form of an id that is taken (`urn:uuid:...`)."""


def identifier(*, null: bool = False) -> Rule:
    """An id of an object, in any of the usual forms of a UUID; with `null` also none."""

    def check(value: object) -> UUID | None:
        if value is None and null:
            return None
        not_null(value)
        try:
            if isinstance(value, str) and len(value) <= UUID_TEXT:
                return UUID(value)
        except ValueError:
            pass
        raise problem("invalid_input", "Must be a valid UUID.")

    return Rule(alone(check), {})


def reference(name: str) -> Rule:
    """The id of an object that must be there: `read` is given under `name`, in `choices`, a function that knows."""

    def check(value: object, info: ValidationInfo) -> UUID:
        not_null(value)
        if isinstance(value, bool | dict | list | float):
            raise problem("incorrect_type", f"Incorrect type. Expected pk value, received {kind(value)}.")
        try:
            identifier = UUID(int=value) if isinstance(value, int) else UUID(str(value).strip())
        except ValueError:
            raise problem("invalid_input", f"“{echo(short(value))}” is not a valid UUID.") from None
        if not (info.context or {})[name](identifier):
            raise problem("does_not_exist", f'Invalid pk "{echo(short(value))}" - object does not exist.')
        return identifier

    return Rule(check, {"format": "uuid"})
