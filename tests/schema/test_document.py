"""The OpenAPI document: valid, complete, what the code says, and with examples that fit it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.http.app import OPERATIONS
from api.http.calls import Operation
from api.http.openapi import PREFIXES, document
from tests.schema.generate import FILE, text_of

DOCUMENT = document(OPERATIONS)
METHODS = ("get", "post", "put", "patch", "delete")

REFERENCE = {
    "environments_vision_observations_list",
    "environments_vision_observations_retrieve",
    "environments_environment_vision_quota_retrieve",
    "environments_vision_scanners_list",
    "environments_vision_scanners_create",
    "environments_vision_scanners_retrieve",
    "environments_vision_scanners_partial_update",
    "environments_vision_scanners_destroy",
    "environments_vision_scanners_observe_create",
    "environments_vision_scanners_observations_list",
    "environments_vision_scanners_observations_retrieve",
    "environments_vision_scanners_observations_stats_retrieve",
    "environments_vision_scanners_creators_retrieve",
    "environments_vision_scanners_stats_retrieve",
}
"""Operation ids of the reference, for operations that are there."""

Described = dict[str, Any]


def described() -> Iterator[tuple[str, Described]]:
    """Every operation object with its address."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield f"{method.upper()} {path}", operation


def bodies(operation: Described) -> Iterator[tuple[str, Described]]:
    """Every JSON body of an operation: the request's and those of the answers."""
    if "requestBody" in operation:
        yield "request", operation["requestBody"]["content"]["application/json"]
    for status, answer in answers(operation).items():
        # A text is no JSON document: its media types say what it is.
        if "application/json" in answer.get("content", {}):
            yield status, answer["content"]["application/json"]


def answers(operation: Described) -> Described:
    """An operation's answers by status, those that are shared put in."""
    shared = DOCUMENT["components"]["responses"]
    return {
        status: shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in operation["responses"].items()
    }


def problems(schema: Described, value: Any) -> list[str]:
    """What is wrong with a value, by a schema of the document. Empty when nothing is."""
    whole = {**schema, "components": DOCUMENT["components"]}
    found = cast(
        "Iterator[ValidationError]", Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)
    )
    return [f"{error.json_path}: {error.message}" for error in found]


def test_it_is_valid_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(cast("Any", DOCUMENT)).iter_errors()] == []


def test_the_committed_file_is_what_the_code_says() -> None:
    committed, made = FILE.read_text(encoding="utf-8"), text_of(DOCUMENT)
    difference = difflib.unified_diff(
        committed.splitlines(), made.splitlines(), "docs/openapi.json", "the code", lineterm="", n=5
    )
    shown = "\n".join(list(difference)[:200])
    assert not shown, f"run `make schema`, and read what changes for clients:\n{shown}"


def test_only_the_server_differs_where_it_is_served() -> None:
    served = document(OPERATIONS, "https://replay.example.org")
    assert served["servers"][0]["url"] == "https://replay.example.org"
    assert {**served, "servers": None} == {**DOCUMENT, "servers": None}


def test_operation_ids_are_unique_and_the_references() -> None:
    identifiers = [operation["operationId"] for _, operation in described()]
    assert len(set(identifiers)) == len(identifiers) == len(OPERATIONS) * len(PREFIXES)
    assert set(identifiers) >= REFERENCE
    assert set(identifiers) >= {identifier.removeprefix("environments_") for identifier in REFERENCE}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_shows_what_is_sent_and_answered(operation: Operation) -> None:
    """`sends` and `shows` stand in the route table, beside what they are examples of."""
    assert (operation.sends is not None) == (operation.body is not None)
    assert set(operation.shows) == {status for status, model in operation.success.items() if model is not None}


def test_every_body_has_an_example_that_fits_its_schema() -> None:
    wrong: list[str] = []
    for address, operation in described():
        for place, content in bodies(operation):
            if not content["examples"]:
                wrong.append(f"{address} {place}: no example")
            for name, example in content["examples"].items():
                wrong += [f"{address} {place} {name}: {text}" for text in problems(content["schema"], example["value"])]
    assert wrong == []


def test_every_parameters_example_fits_its_schema() -> None:
    wrong: list[str] = []
    for address, operation in described():
        for parameter in operation["parameters"]:
            assert parameter["description"], address
            if "example" in parameter:
                wrong += [
                    f"{address} {parameter['name']}: {text}"
                    for text in problems(parameter["schema"], parameter["example"])
                ]
    assert wrong == []


def test_every_error_is_the_envelope() -> None:
    for address, operation in described():
        errors = {status: answer for status, answer in answers(operation).items() if status >= "400"}
        assert {"401", "403", "404", "406", "500", "503"} <= set(errors), address
        for status, answer in errors.items():
            name = "Unavailable" if status == "503" else "Problem"
            assert answer["content"]["application/json"]["schema"] == {"$ref": f"#/components/schemas/{name}"}
        assert "WWW-Authenticate" in errors["401"]["headers"]


def test_bodies_are_named_and_edits_promise_nothing() -> None:
    for address, operation in described():
        for place, content in bodies(operation):
            assert set(content["schema"]) == {"$ref"}, f"{address} {place}"
    edit = DOCUMENT["components"]["schemas"]["EditScanner"]
    assert "required" not in edit
    assert all("default" not in described for described in edit["properties"].values())
    assert DOCUMENT["components"]["schemas"]["CreateScanner"]["required"] == [
        "name",
        "scanner_type",
        "scanner_config",
        "model",
    ]


def test_every_component_is_used_and_every_tag_described() -> None:
    text = json.dumps(DOCUMENT)
    assert [name for name in DOCUMENT["components"]["schemas"] if f'schemas/{name}"' not in text] == []
    assert {tag["name"] for tag in DOCUMENT["tags"]} == {tag for _, each in described() for tag in each["tags"]}


def test_links_lead_to_operations_and_name_their_path_parameters() -> None:
    paths = {
        operation["operationId"]: {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        for _, operation in described()
    }
    for address, operation in described():
        for answer in operation["responses"].values():
            for link in answer.get("links", {}).values():
                assert set(link["parameters"]) == paths[link["operationId"]], f"{address} -> {link['operationId']}"


def test_something_leads_to_every_operation_on_one_object() -> None:
    led = {
        link["operationId"]
        for _, operation in described()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    }
    needy = {
        operation["operationId"]
        for _, operation in described()
        if sum(parameter["in"] == "path" for parameter in operation["parameters"]) > 1
    }
    assert needy - led == set()


@pytest.mark.parametrize("word", ["contract 2", "extensions", "architecture", "pydantic"])
def test_nothing_of_the_workshop_shows(word: str) -> None:
    assert word not in json.dumps(DOCUMENT)


@pytest.mark.parametrize(
    ("session_id", "fits"), [("..", False), (".", False), ("...", True), ("s-1", True), ("", False)]
)
def test_ids_of_sessions_are_those_that_recordings_can_have(session_id: str, fits: bool) -> None:
    found = [
        parameter["schema"]
        for address, operation in described()
        for parameter in operation.get("parameters", ())
        if "/session_recordings/{id}/" in address and parameter["name"] == "id"
    ]
    assert found
    assert all(Draft202012Validator(schema).is_valid(session_id) is fits for schema in found)
