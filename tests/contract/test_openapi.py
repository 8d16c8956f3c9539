"""The OpenAPI document says what a client may meet: keys of repeated requests, throttling, and when to come again."""

from __future__ import annotations

from typing import Any

import pytest

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
