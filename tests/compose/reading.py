"""compose.yaml as Compose reads it: merged, its variables put in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "compose.yaml"
EXAMPLE = ROOT / ".env.example"
IMAGE = "replay-vision"

VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<argument>[^}]*))?\})")
EXAMPLE_LINE = re.compile(r"^(?P<optional>#)?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)


class VariableMissing(Exception):
    """A variable that has no default, with the message that Compose would show."""


@cache
def written() -> dict[str, Any]:
    """The file with its anchors and merges resolved, its variables still as written."""
    return YAML(typ="safe", pure=True).load(FILE)


def services(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services with the variables put in. Raises VariableMissing."""
    return _with_variables(written()["services"], variables)


def is_ours(service: Mapping[str, Any]) -> bool:
    """Whether it runs the image of our Dockerfile."""
    return service["image"].split(":")[0] == IMAGE


def strings(value: object) -> Iterator[str]:
    """Every text within."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from strings(key)
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def variables_of(value: object) -> Iterator[re.Match[str]]:
    """Every use of a variable within; `$$` is none."""
    for text in strings(value):
        yield from (found for found in VARIABLE.finditer(text) if not found["escaped"])


def example() -> dict[str, tuple[str, bool]]:
    """The variables of .env.example: value, and whether it is there as a comment only."""
    return {found["name"]: (found["value"], bool(found["optional"])) for found in EXAMPLE_LINE.finditer(_example())}


@cache
def _example() -> str:
    return EXAMPLE.read_text()


def _with_variables(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: _value_of(found, variables), value)
    if isinstance(value, Mapping):
        return {key: _with_variables(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_variables(each, variables) for each in value]
    return value


def _value_of(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    value = variables.get(found["name"], "")
    if value or not found["operator"]:
        return value
    if found["operator"] == ":-":
        return found["argument"]
    raise VariableMissing(f"{found['name']}: {found['argument']}")
