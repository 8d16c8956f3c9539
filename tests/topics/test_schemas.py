"""The committed schemas are those of the code, they are schemas, and they explain everything in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.event import EVENT_CLASSES, Event, TextRef
from tests.topics.event_schemas import envelope, event_schema, file_of
from tests.topics.generate import FOLDER, SUFFIX, documents, text_of, versions
from tests.topics.validating import committed
from tests.topics.words import EVENTS, FIELDS

AGAIN = "run `make topics`, look at what changed against the compatibility rule of docs/topics.md, and commit it"
FILES = sorted(str(file.relative_to(FOLDER)) for file in FOLDER.rglob("*") if file.is_file())


def test_the_committed_schemas_are_what_the_code_makes() -> None:
    fresh = {name: text_of(schema) for name, schema in documents().items()}
    stale = [name for name, text in fresh.items() if name not in FILES or (FOLDER / name).read_text("utf-8") != text]
    assert stale == [], AGAIN


def test_each_version_of_each_event_has_a_schema_and_there_is_no_other_file() -> None:
    """A schema of an earlier version is never removed: its events are in the log."""
    topics = {f"{topic}{SUFFIX}" for topic in ("events", "ticks", "snapshots", "analytics", "signals")}
    assert set(FILES) == topics | {file_of(*version) for version in versions()}, AGAIN


@pytest.mark.parametrize("name", FILES)
def test_it_is_a_schema(name: str) -> None:
    schema = committed(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", FILES)
def test_every_field_is_described_and_additions_are_let_pass(name: str) -> None:
    schema = committed(name)
    assert schema["title"]
    assert schema["description"]
    for where, part in _objects(schema, ""):
        assert part.get("additionalProperties") is not False, where
        assert set(part["required"]) <= set(part["properties"]), where
        silent = [field for field, each in part["properties"].items() if not _explained(each)]
        assert silent == [], where


def test_no_words_are_left_over() -> None:
    """Words for what is no longer there mislead whoever reads them."""
    described, fields = set[str](), set[str]()
    for topic, event_class in EVENT_CLASSES.items():
        schema = event_schema(event_class)
        described.add(topic)
        for owner, part in [(topic, schema), *schema["$defs"].items()]:
            fields |= {
                own if own in FIELDS else name for name in part.get("properties", ()) for own in [f"{owner}.{name}"]
            }
    assert set(EVENTS) == described
    assert set(FIELDS) == fields | {"schema_version"}


def test_a_second_version_stands_beside_the_first() -> None:
    """No event has one yet, so the rule is shown on one that is made up: fields are added, the first file stays."""

    class Moved(Event):
        TOPIC = "QuotaSet"
        SCHEMA_VERSION = 2
        monthly_quota: int
        profile: TextRef

    second = event_schema(Moved)
    assert second["title"] == "QuotaSet, version 2"
    assert second["properties"]["schema_version"]["const"] == 2
    assert {"schema_version", "profile", "monthly_quota"} <= set(second["required"])
    first, later = envelope([("QuotaSet", 2), ("QuotaSet", 1)])["allOf"]
    assert first["then"]["properties"]["data"]["$ref"] == "events/QuotaSet.v1.schema.json"
    assert later["then"]["properties"]["data"]["$ref"] == "events/QuotaSet.v2.schema.json"
    asked = [Draft202012Validator(rule["if"]) for rule in (first, later)]
    for data, rules in [
        ({}, [True, False]),
        ({"schema_version": 2}, [False, True]),
        ({"schema_version": 3}, [False] * 2),
    ]:
        assert [each.is_valid({"type": "QuotaSet", "data": data}) for each in asked] == rules
        assert not any(each.is_valid({"type": "Other", "data": data}) for each in asked)


def test_later_versions_keep_the_fields_of_earlier_ones() -> None:
    for topic, version in versions():
        if version > 1:
            before, after = (committed(file_of(topic, each))["properties"] for each in (version - 1, version))
            assert set(before) <= set(after), f"{topic} lost a field in version {version}"


def _objects(schema: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part that names the fields of an object, conditions apart."""
    if isinstance(schema, dict):
        if (
            schema.get("type") == "object"
            and "properties" in schema
            and "required" in schema
            and "contains" not in where
        ):
            yield where, schema
        for key, inner in schema.items():
            if key not in ("if", "then"):
                yield from _objects(inner, f"{where}/{key}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from _objects(inner, f"{where}/{number}")


def _explained(field: dict[str, Any]) -> bool:
    return bool(field.get("description")) or "const" in field or "properties" in field
