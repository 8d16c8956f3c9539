"""Validators over the committed schemas, as an outsider makes them, and a strict form for what we write ourselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.topics.generate import FOLDER, SUFFIX

FORMATS = FormatChecker()
CONDITIONS = ("if", "contains")


@FORMATS.checks("date-time", raises=ValueError)
def _is_time_with_zone(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def validator(name: str, *, strict: bool = False, part: str = "") -> Draft202012Validator:
    """Of a file in docs/topics, or of a part of it (a JSON pointer that begins with `#`).

    Strict: what the schema does not name is refused, so that a field that is renamed or has no description is noticed.
    """

    def retrieve(uri: str) -> Resource[Any]:
        schema = committed(uri)
        return Resource(closed(schema) if strict else schema, DRAFT202012)

    registry: Registry[Any] = Registry(retrieve=retrieve)
    return Draft202012Validator({"$ref": f"{name}{part}"}, registry=registry, format_checker=FORMATS)


def committed(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def closed(schema: Any) -> Any:
    """The same schema with every object that names its fields closed. What only asks (CONDITIONS) is left as it is."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: value if key in CONDITIONS else closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if _names_fields(schema) else inner


def problems(topic: str, value: Any, *, strict: bool = False) -> list[str]:
    """What is wrong with the value of a record, nothing when it is legal. Looks into the text `data` inside too."""
    found = [_line(error) for error in validator(f"{topic}{SUFFIX}", strict=strict).iter_errors(value)]
    if topic in ("snapshots", "analytics") and not found and value["data"]:
        inner = validator(f"{topic}{SUFFIX}", strict=strict, part="#/$defs/data")
        found = [_line(error) for error in inner.iter_errors(json.loads(value["data"]))]
    return found


def mutations(schema: Any, value: Any, root: Any) -> Iterator[tuple[str, Any]]:
    """The value with one thing wrong, and where: each required field missing, each declared one of another type."""
    schema = _object_in(schema, root)
    if schema is None or not isinstance(value, dict):
        return
    for name, field in schema["properties"].items():
        if name not in value:
            continue
        if name in schema["required"]:
            yield f"{name} missing", {key: item for key, item in value.items() if key != name}
        yield f"{name} of another type", {**value, name: {} if isinstance(value[name], list) else []}
        if isinstance(value[name], str) and "format" in json.dumps(field):
            yield f"{name} of another format", {**value, name: "yesterday"}
        for where, changed in mutations(field, value[name], root):
            yield f"{name}.{where}", {**value, name: changed}


def _names_fields(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" and isinstance(schema.get("properties"), dict)


def _object_in(schema: Any, root: Any) -> Any:
    """The part that names an object's fields, behind references and alternatives; None for anything else."""
    for part in (schema, *schema.get("anyOf", ())):
        found = root["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if _names_fields(found):
            return found
    return None


def _line(error: Any) -> str:
    return f"{error.json_path}: {error.message[:200]}"
