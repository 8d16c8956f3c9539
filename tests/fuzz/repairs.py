"""Makes requests that fit their schema good where a schema cannot say how, so that they reach what is behind the check.

Only requests that are meant to be taken; what is changed keeps fitting the schema.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

NAME_LENGTH = 255


def repair(method: str, path: str, body: Any) -> None:
    """Changes the body of a request in place."""
    if not isinstance(body, dict):
        return
    if path.endswith(("/scanners/", "/scanners/{id}/")) and isinstance(body.get("name"), str):
        body["name"] = _only(body["name"])
    config = body.get("scanner_config")
    if isinstance(config, dict) and isinstance(config.get("scale"), dict):
        _turn(config["scale"])


def _only(name: str) -> str:
    """A name that nothing else has, as long as before or up to 33 characters longer."""
    mark = uuid4().hex
    return name[: NAME_LENGTH - len(mark)] + mark


def _turn(scale: dict[str, Any]) -> None:
    """Min below max (contract 3.2)."""
    low, high = scale.get("min"), scale.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        scale["min"], scale["max"] = (high, low) if low > high else (low, low + max(1, abs(low)))
