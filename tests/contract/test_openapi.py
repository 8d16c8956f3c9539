"""The OpenAPI document says what a client may meet: keys of repeated requests, throttling, and when to come again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.site import Site

READING = ("scanners_estimate_create",)
"""POST that changes nothing."""


@pytest.fixture(scope="module")
def operations(site: Site) -> dict[str, tuple[str, dict[str, Any]]]:
    """Method and description by operation id."""
    document = site.bare().get("/api/schema/").json()
    assert document["openapi"].startswith("3.1")
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


def test_every_operation_may_be_throttled_or_unavailable(operations: dict[str, tuple[str, dict[str, Any]]]) -> None:
    for name, (_, described) in operations.items():
        for status in ("429", "503"):
            assert described["responses"][status]["headers"]["Retry-After"]["schema"]["type"] == "integer", name
