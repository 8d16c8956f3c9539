"""Monitor: a yes or no question over a recording."""

from collections.abc import Mapping
from typing import Final, Literal

from domain.scanner_types.rules import ClosedAnswer, Confidence, Prose, check_flag, check_keys, check_prompt

KEYS: Final = frozenset({"prompt", "allow_inconclusive"})
PROSE: Final = ("reasoning",)

Verdict = Literal["yes", "no", "inconclusive"]


class Output(ClosedAnswer):
    reasoning: Prose
    verdict: Verdict
    confidence: Confidence


def check_config(config: Mapping[str, object]) -> None:
    check_prompt(config)
    check_flag(config, "allow_inconclusive")
    check_keys(config, KEYS)


def problems(config: Mapping[str, object], output: Output) -> list[str]:
    """``inconclusive`` is legal only where the scanner allows it (engine 4.3)."""
    if output.verdict == "inconclusive" and not config.get("allow_inconclusive", False):
        return ["verdict: inconclusive is not allowed by this scanner"]
    return []


def fields(output: Output) -> dict[str, object]:
    return {"verdict": output.verdict, "reasoning": output.reasoning}
