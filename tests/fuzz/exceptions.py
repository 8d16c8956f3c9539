"""What a schema cannot say, and so is no failure: narrow rules, each for one sentence of the contract.

A request that fits its schema is refused in these cases only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

INTEGER_BITS = 63
SLUG = re.compile(r"[^a-z0-9_-]+")

Problem = Mapping[str, Any]


def may_refuse(method: str, path: str, body: object, problem: Problem) -> str | None:
    """Which rule allows this 400 or 409 to a request that fits its schema; None when there is none."""
    for rule in RULES:
        if rule(method, path, body, problem):
            return rule.__name__
    return None


def name_is_taken(method: str, path: str, body: object, problem: Problem) -> bool:
    """Contract 3.4: names are unique in a project."""
    return problem["attr"] == "name" and "already exists" in problem["detail"] and "name" in _object(body)


def tags_are_the_same(method: str, path: str, body: object, problem: Problem) -> bool:
    """Contract 3.2: two tags may not have the same slug."""
    tags = _object(_object(body).get("scanner_config")).get("tags")
    if problem["attr"] != "scanner_config" or not isinstance(tags, list):
        return False
    slugs = [SLUG.sub("_", str(tag).lower()).strip("_") for tag in tags]
    return len(set(slugs)) < len(slugs)


def scale_is_upside_down(method: str, path: str, body: object, problem: Problem) -> bool:
    """Contract 3.2: min is below max."""
    scale = _object(_object(_object(body).get("scanner_config")).get("scale"))
    low, high = scale.get("min"), scale.get("max")
    if problem["attr"] != "scanner_config" or not isinstance(low, int | float) or not isinstance(high, int | float):
        return False
    return low >= high or high - low == float("inf")


def type_is_not_the_stored_one(method: str, path: str, body: object, problem: Problem) -> bool:
    """Contract 3.4: the type is immutable, and the configuration in an edit is the stored type's."""
    return (
        method == "PATCH" and problem["attr"] in ("scanner_type", "scanner_config") and problem["attr"] in _object(body)
    )


def provider_is_not_the_stored_one(method: str, path: str, body: object, problem: Problem) -> bool:
    """Contract 3.1: a model is one of its provider's."""
    return method == "PATCH" and problem["attr"] in ("provider", "model") and problem["code"] == "invalid_choice"


def document_cannot_be_stored(method: str, path: str, body: object, problem: Problem) -> bool:
    """Free-form documents may hold no NUL and no integer of more than 64 bits."""
    if problem["attr"] not in ("scanner_config", "query"):
        return False
    return not _storable(_object(body).get(problem["attr"]))


def cursor_is_not_from_a_page(method: str, path: str, body: object, problem: Problem) -> bool:
    """Extensions, Audit: cursors are opaque."""
    return problem["attr"] == "cursor" and method == "GET" and "/history" in path


def observation_has_succeeded(method: str, path: str, body: object, problem: Problem) -> bool:
    """Extensions, Observing: what has succeeded cannot be retried."""
    return path.endswith("/retry/") and problem["attr"] is None and "succeeded" in problem["detail"]


def observation_is_in_flight(method: str, path: str, body: object, problem: Problem) -> bool:
    """Extensions, Observing: 409 when the observation to retry is pending or running."""
    return path.endswith("/retry/") and problem["code"] == "conflict"


def run_is_in_progress(method: str, path: str, body: object, problem: Problem) -> bool:
    """Extensions, Actions: 409 while a run of the action, or a delivery of it, is in progress."""
    return path.endswith(("/run/", "/redeliver/")) and problem["code"] == "conflict"


def scanner_has_all_its_actions(method: str, path: str, body: object, problem: Problem) -> bool:
    """README, Administration: a scanner takes up to 200 actions."""
    return problem["attr"] == "scanner" and "at most" in problem["detail"] and "/actions/" in path


def conditions_are_no_conditions(method: str, path: str, body: object, problem: Problem) -> bool:
    """Extensions, Sessions: conditions and lists of ids are JSON texts; a schema of parameters cannot tell of these."""
    names = (
        "session_ids",
        "distinct_ids",
        "events",
        "actions",
        "properties",
        "console_log_filters",
        "having_predicates",
        "person_uuid",
    )
    return path.endswith("/session_recordings/") and problem["attr"] in names


def outlives(path: str) -> bool:
    """Extensions, Audit: the history of a deleted object stays readable."""
    return path.endswith("/history/")


Rule = Callable[[str, str, object, Problem], bool]
RULES: tuple[Rule, ...] = (
    name_is_taken,
    tags_are_the_same,
    scale_is_upside_down,
    type_is_not_the_stored_one,
    provider_is_not_the_stored_one,
    document_cannot_be_stored,
    cursor_is_not_from_a_page,
    observation_has_succeeded,
    observation_is_in_flight,
    run_is_in_progress,
    scanner_has_all_its_actions,
    conditions_are_no_conditions,
)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _storable(value: object) -> bool:
    if isinstance(value, dict):
        return all(_storable(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return all(_storable(item) for item in value)
    if isinstance(value, int):
        return value.bit_length() <= INTEGER_BITS
    return "\\u0000" not in json.dumps(value)
