"""How the contract reads a request that its schemas, strictly taken, do not allow (contract 2.2 to 2.4).

The document shows clients the types to use; the server takes more. A request that fits once it has been read like this
is no invalid one. Written from the contract, not from the server's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRUE = {"t", "y", "yes", "true", "on", "1"}
FALSE = {"f", "n", "no", "false", "off", "0"}
LONGEST_NUMBER = 1000

Schema = Mapping[str, Any]


def as_read(value: object, schema: Schema, components: Mapping[str, Schema]) -> object:
    """The body, its fields converted as the schema's types ask for; what is inside documents stays as it is."""
    schema = _of_its_type(value, resolved(schema, components))
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties", {})
    return {
        name: _field(item, properties[name], components) if name in properties else item for name, item in value.items()
    }


def resolved(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    """The schema itself, where it is only named."""
    while "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    return schema


def _of_its_type(value: object, schema: Schema) -> Schema:
    """The one of several schemas whose `type`, or `metric` of an alert, the value names."""
    for key in ("type", "metric"):
        named = value.get(key) if isinstance(value, dict) else None
        for one in schema.get("oneOf", ()):
            if named is not None and one.get("properties", {}).get(key, {}).get("const") == named:
                return one
    return schema


def _field(value: object, schema: Schema, components: Mapping[str, Schema]) -> object:
    is_body = schema.get("$ref", "").endswith("Body")
    schema = resolved(schema, components)
    match "body" if is_body else schema.get("type"):
        case "body":
            read = as_read(value, schema, components)
        case "string" if "enum" not in schema and "const" not in schema:
            read = _text(value)
        case "number":
            read = _number(value)
        case "integer":
            read = _whole(_number(value))
        case "boolean":
            read = _flag(value)
        case "array" if isinstance(value, list):
            read = [_field(item, schema["items"], components) for item in value]
        case _:
            read = value
    return read


def _text(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _number(value: object) -> object:
    if not isinstance(value, str) or len(value) > LONGEST_NUMBER:
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flag(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return value == 1
    word = value.lower() if isinstance(value, str) and value in {value.lower(), value.upper(), value.title()} else None
    return True if word in TRUE else False if word in FALSE else value
