"""What an alert says when it fires or resolves: the same text for the same figures, without a model (engine 7.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from consumers.actions.report.markdown import escaped, safe
from consumers.actions.report.port import Noted
from consumers.actions.report.quotes import quote
from consumers.actions.report.wording import name, observations, when, zone_of
from domain.alert import Change
from projections.queries.alert_metrics import Metric, Telling
from projections.queries.selected import Window

EXAMPLES: Final = 5
"""Observations that the text shows; it refers to no others (engine 7.6)."""

_REACHED: Final = {"above": "at or above", "below": "at or below"}
_NO_LONGER: Final = {"above": "below", "below": "above"}


def message(
    change: Change,
    *,
    action_name: str,
    scanner_name: str,
    timezone: str,
    config: dict[str, Any],
    metric: Metric,
    window: Window,
    told: Sequence[Telling],
) -> str:
    """Safe Markdown. `told` are the observations that the value comes of, the first EXAMPLES of which are shown."""
    limits = _REACHED if change == "fired" else _NO_LONGER
    stands = f"{_what(config, metric)}, {limits[config['direction']]} {_told(config, float(config['threshold']))}."
    zone = zone_of(timezone)
    start, end = when(window.start, zone), when(window.end, zone)
    head = f"{'Alert' if change == 'fired' else 'Resolved'}: {name(action_name)}"
    about = f"{name(scanner_name)}, {observations(metric.matched)} from {start} to {end} ({timezone})."
    parts = [f"## {head}", stands, about]
    if change == "fired" and told:
        parts.append("\n".join(_example(number, one, timezone) for number, one in enumerate(told[:EXAMPLES], start=1)))
    return safe("\n\n".join(parts))


def _what(config: dict[str, Any], metric: Metric) -> str:
    value = metric.value or 0.0
    match config["metric"]:
        case "count":
            return f"The number of observations is {_told(config, value)}"
        case "avg_score":
            return f"The average score is {_told(config, value)} ({observations(metric.about)})"
        case "verdict_share":
            counted = f"{metric.hits} of {metric.about}"
            return f"The share of the verdict {config['verdict']} is {_told(config, value)} ({counted})"
        case _:
            counted = f"{metric.hits} of {metric.about}"
            return f"The share of the tag {escaped(config['tag'])} is {_told(config, value)} ({counted})"


def _told(config: dict[str, Any], value: float) -> str:
    """A share in per cent, anything else as it is; never more digits than somebody reads."""
    if config["metric"] in ("verdict_share", "tag_share"):
        return f"{_digits(100 * value)} %"
    return _digits(value)


def _digits(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _example(number: int, one: Telling, timezone: str) -> str:
    noted = Noted(number, one.id, one.session_id, one.completed_at, "", one.model_output)
    said = quote(noted)
    found = ": ".join(part for part in (_outcome(one), escaped(said)) if part)
    return f"- [obs {number}] {when(one.completed_at, zone_of(timezone))}{f', {found}' if found else ''}"


def _outcome(one: Telling) -> str:
    """The verdict, score or tags, as far as there are any."""
    output = one.model_output
    match output.get("scanner_type"):
        case "monitor":
            return str(output.get("verdict", ""))
        case "scorer":
            return f"score {output.get('score')}"
        case "classifier":
            tags = [*_texts(output.get("tags")), *_texts(output.get("tags_freeform"))]
            return escaped(", ".join(tags))
        case _:
            return ""


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
