"""What an alert watches: the shape of an action's `alert_config`, and when a value of it is a breach (extensions).

A stored config is whole: what was left out has its default, and of `verdict` and `tag` it holds the one that its metric
needs.
"""

from __future__ import annotations

from typing import Final, Literal, cast

from pydantic import JsonValue

from domain.errors import Invalid

Frequency = Literal["on_breach", "every_match"]

METRICS: Final = ("count", "verdict_share", "tag_share", "avg_score")
VERDICTS: Final = ("yes", "no", "inconclusive")
DIRECTIONS: Final = ("above", "below")
FREQUENCIES: Final[tuple[Frequency, ...]] = ("on_breach", "every_match")
WINDOW_DAYS: Final = (1, 3, 7, 14, 30)
MOST_COOLDOWN_MINUTES: Final = 10_080
TAG_LENGTH: Final = 100
"""Characters, as many as a tag of an answer may have."""

NEEDED: Final = {"verdict_share": "verdict", "tag_share": "tag"}
"""Which field says of what a share is meant."""

SHARES: Final = tuple(NEEDED)

MEASURES: Final = {"verdict_share": "monitor", "tag_share": "classifier", "avg_score": "scorer"}
"""The type of scanner whose observations have what a metric measures. A count is of any."""

DEFAULTS: Final[dict[str, JsonValue]] = {
    "direction": "above",
    "window_days": 1,
    "frequency": "on_breach",
    "cooldown_minutes": 0,
}

AlertConfig = dict[str, JsonValue]

_CHOICES: Final[dict[str, tuple[object, ...]]] = {
    "direction": DIRECTIONS,
    "window_days": WINDOW_DAYS,
    "frequency": FREQUENCIES,
}


def whole(given: AlertConfig) -> AlertConfig:
    """The config as it is stored. Raises Invalid with the field (`alert_config__metric`) for the first broken rule.

    An empty one stays empty: the action has no alert. A share is 0 to 1; other keys are dropped (contract 8.1).
    """
    if not given:
        return {}
    metric = _chosen(given, "metric", METRICS)
    config: AlertConfig = {"metric": metric}
    if metric in NEEDED:
        name = NEEDED[metric]
        config[name] = _chosen(given, name, VERDICTS) if name == "verdict" else _tag(given)
    config["threshold"] = _threshold(given, metric)
    for name, default in DEFAULTS.items():
        config[name] = given.get(name, default)
    for name, choices in _CHOICES.items():
        _chosen(config, name, choices)
    minutes = config["cooldown_minutes"]
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 <= minutes <= MOST_COOLDOWN_MINUTES:
        raise _invalid("cooldown_minutes", "invalid_input", f"Whole minutes from 0 to {MOST_COOLDOWN_MINUTES}.")
    return config


def check_measurable(config: AlertConfig, scanner_type: str) -> None:
    """Raises Invalid on the metric when observations of such a scanner have nothing for it to measure."""
    metric = str(config["metric"])
    needed = MEASURES.get(metric, scanner_type)
    if scanner_type != needed:
        message = f'"{metric}" needs a {needed}; this scanner is a {scanner_type}.'
        raise _invalid("metric", "invalid_input", message)


def breached(config: AlertConfig, value: float | None) -> bool | None:
    """Whether a value lies at the threshold or beyond it; None for the average or share of nothing (engine 7.6)."""
    if value is None:
        return None
    threshold = float(cast(float, config["threshold"]))
    return value >= threshold if config["direction"] == "above" else value <= threshold


def _chosen(given: AlertConfig, name: str, choices: tuple[object, ...]) -> str:
    value = given.get(name)
    if name not in given:
        raise _invalid(name, "required", "This field is required.")
    if isinstance(value, bool) or value not in choices:
        raise _invalid(name, "invalid_choice", f'"{value}" is not a valid choice.')
    return str(value)


def _tag(given: AlertConfig) -> str:
    if "tag" not in given:
        raise _invalid("tag", "required", "This field is required.")
    tag = given["tag"]
    if not isinstance(tag, str) or not tag.strip():
        raise _invalid("tag", "blank", "This field may not be blank.")
    if len(tag) > TAG_LENGTH:
        raise _invalid("tag", "max_length", f"Ensure this field has no more than {TAG_LENGTH} characters.")
    return tag


def _threshold(given: AlertConfig, metric: str) -> JsonValue:
    if "threshold" not in given:
        raise _invalid("threshold", "required", "This field is required.")
    threshold = given["threshold"]
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise _invalid("threshold", "invalid_input", "A valid number is required.")
    if metric != "avg_score" and threshold < 0:
        raise _invalid("threshold", "min_value", "Ensure this value is greater than or equal to 0.")
    if metric in SHARES and threshold > 1:
        raise _invalid("threshold", "max_value", "A share is a number from 0 to 1.")
    return threshold


def _invalid(name: str, code: str, message: str) -> Invalid:
    return Invalid(f"alert_config__{name}", code, message)
