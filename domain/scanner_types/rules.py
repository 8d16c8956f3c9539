"""The rules every scanner type shares: the prompt, unknown keys, numbers, confidence (contract 3.2)."""

import math
from collections.abc import Mapping
from typing import Annotated, Final, Never, cast

from pydantic import BaseModel, ConfigDict, Field

from domain.errors import Invalid

PROMPT_MAX_CHARS: Final = 20_000
TOLERATED_KEYS: Final = frozenset({"scanner_type", "emits_signals"})
"""Keys upstream tolerates inside a config, an accident of its model (contract 3.2)."""
PROSE_MAX_CHARS: Final = 20_000
"""Upper bound of any free text an answer may bring (architecture 8: answers are length-limited)."""

Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Prose = Annotated[str, Field(min_length=1, max_length=PROSE_MAX_CHARS)]


class ClosedAnswer(BaseModel):
    """What a provider returns: a closed schema in a fixed order, reasoning first, confidence last (engine 4.3)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def refuse(message: str) -> Never:
    raise Invalid(field="scanner_config", code="invalid_input", message=message)


def as_object(config: object) -> Mapping[str, object]:
    """Rule 1: a config is a JSON object."""
    if not isinstance(config, Mapping):
        refuse("The scanner configuration must be an object.")
    return cast(Mapping[str, object], config)


def check_prompt(config: Mapping[str, object]) -> None:
    """Rules 2 and 3: a prompt is required and has at most 20,000 characters."""
    prompt = config.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        refuse("A prompt is required.")
    if len(prompt) > PROMPT_MAX_CHARS:
        refuse(f"The prompt may have at most {PROMPT_MAX_CHARS} characters.")


def check_flag(config: Mapping[str, object], key: str) -> None:
    """Rule 6 for a boolean with a default."""
    if key in config and not isinstance(config[key], bool):
        refuse("The scanner configuration is invalid.")


def check_keys(config: Mapping[str, object], allowed: frozenset[str]) -> None:
    """Rule 7: unknown keys are refused, listed in order."""
    unknown = sorted(str(key) for key in config if key not in allowed | TOLERATED_KEYS)
    if unknown:
        refuse(f"Unknown configuration keys: {', '.join(unknown)}.")


def is_number(value: object) -> bool:
    """A finite JSON number; true and false are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
