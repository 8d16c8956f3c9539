# ruff: noqa: E501 - a table of patterns
"""Scorer: frustration, effort, engagement, success or speed on the scanner's own scale."""

import re
from collections.abc import Mapping
from typing import Any, Final

from consumers.scanning.evidence import Evidence, Signal
from consumers.scanning.providers.builtin.outcome import frustration, outcomes
from consumers.scanning.providers.builtin.prompt import read
from consumers.scanning.providers.builtin.wording import end_of, told

_INTENTS: Final = (
    ("frustration", r"frustrat|annoy|ang(?:ry|er)|friction|pain|struggl|difficult|troubl|upset|rage|confus|bad experience|badly|problem|stress|irritat|obstacle|dissatisf|unhapp|unpleas|displeas|\bbad\b|\bpoor|negativ|\bworse|awful|terribl|horribl|disappoint|\bhard\b|tedious|cumbersome|hindr|hinder|impatien|miser"),
    ("ease", r"\beas[ey]|smooth|satisf|happ(?:y|iness)|pleas|comfort|delight|quality of (?:the )?experience|good (?:was )?the experience|experience"),
    ("success", r"success|achiev|conver|accomplish|complet|goal|reach"),
    ("engagement", r"engag|interest|activ|involve|explor|curio|attention"),
    ("effort", r"effort|work|laborious|steps?"),
    ("slowness", r"slow|wait|speed|performan|lag|fast|responsive"),
)  # fmt: skip
_SUCCESS: Final = {
    "converted": 10.0,
    "completed": 8.0,
    "browsing": 5.0,
    "abandoned": 3.0,
    "failed": 2.0,
    "blocked": 1.0,
}


def scorer(config: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    low, high = float(config["scale"]["min"]), float(config["scale"]["max"])
    intent, known = _intent(config)
    tenths, moments = _points(intent, evidence)
    score = low + (high - low) * min(10.0, max(0.0, tenths)) / 10
    whole = low.is_integer() and high.is_integer() and high - low > 1
    if moments:
        reasoning = told(moments, 4)
    else:
        reasoning = f"No failure, wait or burst of clicks shows from the start (t 0) to the end {end_of(evidence)}."
    confidence = 0.3 if not known else 0.75 if intent in ("frustration", "ease") else 0.5
    return {
        "reasoning": reasoning,
        "score": float(round(score)) if whole else _rounded(score, low, high),
        "confidence": confidence,
    }


def _rounded(score: float, low: float, high: float) -> float:
    """To a hundredth, or finer where the scale is so narrow that this would leave it."""
    rounded = round(score, 2)
    return rounded if high - low >= 1 and low <= rounded <= high else min(max(score, low), high)


def _intent(config: Mapping[str, Any]) -> tuple[str, bool]:
    """What the prompt wants measured: the intent named first; frustration where it names none."""
    ask = read(config["prompt"])
    text = f"{ask.main} {str(config['scale'].get('label') or '').lower()}"
    places = [(match.start(), name) for name, pattern in _INTENTS if (match := re.search(pattern, text))]
    return (min(places)[1], True) if places else ("frustration", False)


def _points(intent: str, evidence: Evidence) -> tuple[float, list[Signal]]:
    points, moments = frustration(evidence)
    counts = evidence.counts
    ends = [signal for signal in evidence.signals if signal.kind in ("conversion", "task_completed", "goal_missed")]
    match intent:
        case "ease":
            return 10 - points, moments
        case "success":
            return _SUCCESS[outcomes(evidence)[0].name], ends
        case "engagement":
            acts = counts.get("clicks", 0) * 0.25 + counts.get("inputs", 0) * 0.5 + counts.get("pages", 0) * 0.4
            return min(10.0, acts), ends
        case "effort":
            return min(10.0, counts.get("clicks", 0) * 0.2 + counts.get("inputs", 0) * 0.4 + points * 0.3), moments
        case "slowness":
            slow = [signal for signal in evidence.signals if signal.kind in ("slow_response", "slow_request")]
            return min(10.0, max((signal.measure_ms for signal in slow), default=0) / 1000), slow
        case _:
            return points, moments
