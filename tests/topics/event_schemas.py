"""JSON schemas of the topic `events`, made from the event classes as commands/store/mapper.py stores them.

They are for readers: every field that is there today is required, and fields that a later release adds are let pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from commands.store.mapper import VERSION_KEY
from domain.event import Event
from tests.topics.words import EVENTS, FIELDS

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NOT_STORED = ("originator_id", "originator_version")
"""Fields of the classes that the store keeps in columns. The envelope has them as `stream_id` and `version`."""


class _Bare(GenerateJsonSchema):
    """Without titles that repeat names, and without defaults: the store writes every field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def file_of(topic: str, version: int) -> str:
    """Where the schema of an event's data is, relative to docs/topics."""
    return f"events/{topic}.v{version}.schema.json"


def event_schema(event_class: type[Event]) -> Schema:
    """The data of an event in the class's present version. Raises KeyError for what words.py has no words for."""
    topic, version = event_class.TOPIC, event_class.SCHEMA_VERSION
    made: Schema = event_class.model_json_schema(by_alias=True, mode="serialization", schema_generator=_Bare)
    for name in NOT_STORED:
        del made["properties"][name]
    if version > 1:
        made["properties"][VERSION_KEY] = {"const": version}
    nested: Mapping[str, Schema] = made.get("$defs", {})
    for owner, part in [(topic, made), *nested.items()]:
        _finish(owner, part)
    head = {"$schema": DIALECT, "title": f"{topic}, version {version}", "description": EVENTS[topic]}
    return {**head, **{key: value for key, value in made.items() if key not in head}}


def envelope(written: Iterable[tuple[str, int]]) -> Schema:
    """The value of a record of `events`. `written` are the types and versions that may be met, old ones included.

    The data of a type or a version that is not among them is any object: readers meet those of later releases.
    """
    properties = {
        "event_id": {
            "type": "string",
            "description": "Unique and stable: `<stream_id>:<version>`. Also the header `event_id`.",
        },
        "type": {"type": "string", "description": "What happened, in the past tense. Also the header `type`."},
        "stream_id": {
            "type": "string",
            "format": "uuid",
            "description": "The thing it happened to. Its 16 bytes are the record's key.",
        },
        "version": {
            "type": "integer",
            "minimum": 1,
            "description": "The number of the event in its stream: 1, 2, 3 and so on, without gaps.",
        },
        "position": {
            "type": "integer",
            "minimum": 1,
            "description": "The place in the installation's whole log: increasing, with gaps. The header `source_id`.",
        },
        "data": {"type": "object", "description": "The facts, by type and schema version (header `schema`)."},
    }
    return {
        "$schema": DIALECT,
        "title": "A domain event as it is published",
        "description": "The value of a record of the topic `events`.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "allOf": [_data_of(topic, version) for topic, version in sorted(written)],
    }


def _data_of(topic: str, version: int) -> Schema:
    unnumbered = {"not": {"required": [VERSION_KEY]}}
    numbered = {"properties": {VERSION_KEY: {"const": version}}, "required": [VERSION_KEY]}
    return {
        "if": {
            "properties": {"type": {"const": topic}, "data": unnumbered if version == 1 else numbered},
            "required": ["type", "data"],
        },
        "then": {"properties": {"data": {"$ref": file_of(topic, version)}}},
    }


def _finish(owner: str, part: Schema) -> None:
    """Open for new fields, strict about those there are, each with its meaning."""
    part.pop("title", None)
    part.pop("additionalProperties", None)
    if "properties" not in part:
        return
    part["required"] = list(part["properties"])
    for name, field in part["properties"].items():
        own = f"{owner}.{name}"
        field["description"] = FIELDS[own] if own in FIELDS else FIELDS[name]
