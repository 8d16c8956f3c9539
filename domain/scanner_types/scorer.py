"""Scorer: a number on the scanner's scale."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Final, cast

from pydantic import Field

from domain.scanner_types.rules import ClosedAnswer, Confidence, Prose, check_keys, check_prompt, is_number, refuse

KEYS: Final = frozenset({"prompt", "scale"})
SCALE_KEYS: Final = frozenset({"min", "max", "label"})
PROSE: Final = ("reasoning",)
WHOLE: Final = 2.0**53
"""From here on a number has no fraction to leave out, and as a whole number JSON's readers would change it."""


class Output(ClosedAnswer):
    reasoning: Prose
    score: Annotated[float, Field(allow_inf_nan=False)]
    confidence: Confidence


def check_config(config: Mapping[str, object]) -> None:
    check_prompt(config)
    scale = config.get("scale")
    if not isinstance(scale, Mapping):
        refuse("The scale must be an object with min and max.")
    limits = cast(Mapping[str, object], scale)
    low, high = limits.get("min"), limits.get("max")
    if not is_number(low) or not is_number(high):
        refuse("The scale needs numbers for min and max.")
    if cast(float, low) >= cast(float, high):
        refuse("The scale's min must be below its max.")
    if not isfinite(cast(float, high) - cast(float, low)):
        refuse("The scale's span is too large.")
    if not isinstance(limits.get("label"), str | None):
        refuse("The scanner configuration is invalid.")
    check_keys(config, KEYS)
    check_keys(limits, SCALE_KEYS)


def limits(config: Mapping[str, object]) -> tuple[float, float]:
    scale = cast(Mapping[str, float], config["scale"])
    return scale["min"], scale["max"]


def problems(config: Mapping[str, object], output: Output) -> list[str]:
    low, high = limits(config)
    return [] if low <= output.score <= high else [f"score: {output.score:g} is outside {low:g}..{high:g}"]


def fields(config: Mapping[str, object], output: Output) -> dict[str, object]:
    """The label is the scanner's own, stamped here, never the provider's (engine 4.3)."""
    score = int(output.score) if output.score.is_integer() and abs(output.score) < WHOLE else output.score
    label = cast(Mapping[str, object], config["scale"]).get("label")
    return {"score": score, "label": label, "reasoning": output.reasoning}
