"""The named schemas of the OpenAPI document, made from the models of bodies and answers."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from api.http.fields import Body

PREFIX = "#/components/schemas/"

_GENERIC = re.compile(r"(Page|CursorPage)_(.+)_")
_BRACKETS = re.compile(r"\s*\((?:architecture|capture|contract|engine|extensions|operator interface)\b[^()]*\)")

Model = type[BaseModel]
Schema = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    """Without the titles that pydantic makes of names: they say nothing, and client generators take them for names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the generator's own signature
        """Never."""
        return False


def components(models: Iterable[Model]) -> tuple[dict[str, Schema], dict[Model, Schema]]:
    """Every named schema that the models need, by name, and for each model the reference to its own.

    Bodies are described as they are read, answers as they are sent.
    """
    ordered = sorted(models, key=lambda model: model.__name__)
    wanted: list[tuple[Model, JsonSchemaMode]] = [(model, _mode(model)) for model in ordered]
    made, whole = models_json_schema(wanted, ref_template=PREFIX + "{model}", schema_generator=_Untitled)
    defined: dict[str, Schema] = whole["$defs"]
    names = {old: component_name(old) for old in defined}
    if len(set(names.values())) != len(names):
        raise ValueError(f"two models would have one name: {sorted(names)}")
    named: dict[str, Schema] = {names[old]: _tidy(schema, names) for old, schema in defined.items()}
    enums = {tuple(schema["enum"]): name for name, schema in named.items() if "enum" in schema}
    ready = {name: named[name] if "enum" in named[name] else _by_name(named[name], enums) for name in sorted(named)}
    return ready, {model: _tidy(made[model, mode], names) for model, mode in wanted}


def component_name(name: str) -> str:
    """`ScannerDocument` is `Scanner`, a page of them `ScannerPage`."""
    if generic := _GENERIC.fullmatch(name):
        return component_name(generic.group(2)) + generic.group(1)
    return name.lstrip("_").removesuffix("Document")


def for_readers(docstring: str | None) -> str:
    """A docstring on one line, without its references to documents that readers do not have."""
    return _BRACKETS.sub("", " ".join((docstring or "").split()))


def reference(name: str) -> Schema:
    return {"$ref": PREFIX + name}


def _mode(model: Model) -> JsonSchemaMode:
    return "validation" if issubclass(model, Body) else "serialization"


def _tidy(value: Any, names: Mapping[str, str]) -> Any:
    """Without titles of classes, with the new names in references and descriptions for readers."""
    if isinstance(value, list):
        return [_tidy(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    tidied = {key: _tidy(item, names) for key, item in value.items() if not (key == "title" and isinstance(item, str))}
    if isinstance(target := tidied.get("$ref"), str):
        tidied["$ref"] = PREFIX + names[target.removeprefix(PREFIX)]
    if isinstance(said := tidied.get("description"), str):
        tidied["description"] = for_readers(said)
    return tidied


def _by_name(value: Any, enums: Mapping[tuple[Any, ...], str]) -> Any:
    """With a reference wherever a closed set of words has a name."""
    if isinstance(value, list):
        return [_by_name(item, enums) for item in value]
    if not isinstance(value, dict):
        return value
    words = value.get("enum")
    if isinstance(words, list) and (name := enums.get(tuple(words))):
        kept = {key: item for key, item in value.items() if key not in ("enum", "type")}
        return {**reference(name), **kept}
    return {key: _by_name(item, enums) for key, item in value.items()}
