"""The OpenAPI document says what a client may meet: keys of repeated requests, throttling, and when to come again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.http.reference_page import page
from tests.contract.site import Site

READING = ("scanners_estimate_create",)
"""POST that changes nothing."""


@pytest.fixture(scope="module")
def document(site: Site) -> dict[str, Any]:
    served: dict[str, Any] = site.bare().get("/api/schema/").json()
    assert served["openapi"].startswith("3.1")
    return served


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Method and description by operation id."""
    return {
        described["operationId"]: (method, described)
        for methods in document["paths"].values()
        for method, described in methods.items()
    }


def test_every_write_takes_a_key_and_no_read_does(operations: dict[str, tuple[str, dict[str, Any]]]) -> None:
    seen: set[bool] = set()
    for name, (method, described) in operations.items():
        writes = method != "get" and not name.endswith(READING)
        headers = [one["name"] for one in described["parameters"] if one["in"] == "header"]
        assert ("Idempotency-Key" in headers) == writes, name
        succeeded = [answer for status, answer in described["responses"].items() if status.startswith("2")]
        assert all(("Idempotency-Replayed" in answer.get("headers", {})) == writes for answer in succeeded), name
        assert not writes or {"400", "409"} <= set(described["responses"]), name
        seen.add(writes)
    assert seen == {True, False}


def test_every_operation_may_be_throttled_or_unavailable(
    document: dict[str, Any], operations: dict[str, tuple[str, dict[str, Any]]]
) -> None:
    for name, (_, described) in operations.items():
        for status in ("429", "503"):
            answer = resolved(document, described["responses"][status])
            header = resolved(document, answer["headers"]["Retry-After"])
            assert header["schema"] == {"type": "string", "pattern": "^[0-9]+$"}, name


def resolved(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """What a reference refers to; anything else as it is."""
    found = described
    while (target := found.get("$ref")) is not None:
        found = document
        for part in str(target).removeprefix("#/").split("/"):
            found = found[part]
    return found


def test_the_page_tells_of_every_operation_and_loads_nothing(site: Site) -> None:
    """It works without a network, and no other site learns that somebody reads it."""
    document = site.bare().get("/api/schema/").json()
    answer = site.bare().get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    for word in ("<script", "<link", "<img", "src=", "url(", "@import"):
        assert word not in answer.text
    assert re.findall(r"href='([^']*)'", answer.text) == ["/api/schema/"]
    told = re.findall(r"<details id='(\w+)'><summary><b>(\w+)</b> (\S+) <span>", answer.text)
    assert sorted(told) == sorted(
        (operation["operationId"], method.upper(), path)
        for path, operations in document["paths"].items()
        if path.startswith("/api/environments/")
        for method, operation in operations.items()
        if method in ("get", "post", "put", "patch", "delete")
    )
    assert len(told) > 20


def test_what_the_document_says_is_text_on_the_page() -> None:
    hostile = "<script>alert('x')</script> & `<b>`"
    operation = {
        "operationId": "one", "tags": ["t"], "summary": hostile, "description": hostile,
        "parameters": [{"$ref": "#/components/parameters/p"}],
        "requestBody": {"content": {"application/json": {"examples": {"e": {"value": hostile}}}}},
        "responses": {"200": {"$ref": "#/components/responses/r"}},
    }  # fmt: skip
    found = page({
        "info": {"title": hostile, "version": hostile},
        "tags": [{"name": "t", "description": hostile}],
        "paths": {"/api/environments/{id}/": {"get": operation}},
        "components": {
            "parameters": {"p": {"name": hostile, "in": "query", "description": hostile}},
            "responses": {"r": {"description": hostile}},
        },
    })  # fmt: skip
    assert "<script" not in found
    assert "<b>`" not in found
    assert found.count("&lt;script&gt;") >= 8
    assert "<code>&lt;b&gt;</code>" in found
