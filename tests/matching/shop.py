"""Three sessions of a shop, who they are of, and what the environment has defined: each condition tells some apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.tenant import Tenant
from projections.queries.matching import Definitions
from tests.matching.worlds import BEGAN, COUNTS

TENANT = Tenant(1, UUID(int=7))
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
ANN = UUID(int=1)

Row = dict[str, Any]


def event(name: str, at: int, who: str | None, elements: list[Row] | None = None, /, **properties: Any) -> Row:
    url = properties.get("$current_url")
    return {
        "uuid": UUID(int=hash((name, at, str(properties))) % 2**100),
        "name": name,
        "at": BEGAN + at,
        "distinct_id": who,
        "current_url": url,
        "properties": {key: value for key, value in properties.items() if key != "$window_id"},
        "elements": elements,
        "window_id": properties.get("$window_id"),
    }


def session(name: str, *events: Row, **fields: Any) -> Row:
    made: Row = {
        "id": name, "first": BEGAN, "last": BEGAN + 60_000, "active": 30_000, **dict.fromkeys(COUNTS, 0),
        "distinct_ids": [], "start_url": None, "urls": [], "snapshot_source": "web", "snapshot_library": "web",
        "lines": [],
    }  # fmt: skip
    return {**made, **fields, "events": list(events)}


CLICK = [
    {"tag_name": "span", "text": "Buy now"},
    {"tag_name": "button", "attr_id": "buy", "attr_class": ["cta", "big"], "attributes": {"data-x": "42"}},
    {"tag_name": "a", "href": "/checkout", "nth_child": 2, "nth_of_type": 1, "attributes": {"attr__title": "Go"}},
]
BEGUN_WITH = {
    "utm_source": "mail", "utm_medium": "news", "utm_campaign": "autumn", "utm_term": "wool", "utm_content": "top",
    "$referring_domain": "search.example",
}  # fmt: skip
HOME, CART = "https://shop.example/?utm=1", "https://shop.example/cart/#top"
SESSIONS = [
    session(
        "buyer",
        event("$pageview", 1, "ann", **{"$current_url": HOME, **BEGUN_WITH}),
        event("$autocapture", 2, "ann", CLICK),
        event("bought", 3, "ann", plan="pro", amount=120, at="2026-11-05T10:00:00Z", gift=True,
              weight=20.0, far=1e20, near=1e-7, zero=-0.0, tags=["Wool", 7.0, None, ["a"]], empty=[],
              **{"$feature/new": "b", "$lib": "js"}),
        event("$pageview", 4, "ann", **{"$current_url": CART}),
        distinct_ids=["ann"], start_url=HOME, urls=[HOME, CART], click_count=4, keypress_count=2,
        lines=[{"level": "error", "message": "Failed: 500"}, {"level": "info", "message": "cart ready"}],
        console_error_count=1, console_log_count=1, event_count=12, size=2_048,
    ),
    session(
        "browser",
        event("$pageview", 1, "bob", **{"$current_url": HOME}),
        event("bought", 2, "bob", plan="free", amount="9.5", at="2026-10-31", **{"$window_id": "w"}),
        event("$screen", 3, "bob"),
        distinct_ids=["anonymous"], start_url=HOME, urls=[HOME], mouse_activity_count=7, last=BEGAN + 600_000,
        lines=[{"level": "warn", "message": "Failed: slow"}], console_warn_count=1,
    ),
    session("silent", snapshot_source="mobile", snapshot_library="posthog-ios", active=5_000, first=BEGAN + 5_000,
            last=BEGAN + 25_000),
]  # fmt: skip
PERSONS = [
    {"id": ANN, "distinct_ids": ["ann"],
     "properties": {"email": "ann@acme.example", "age": 40.0, "teams": ["red", "blue"]}},
    {"id": UUID(int=2), "distinct_ids": ["bob"], "email": "bob@home.example",
     "properties": {"email": None, "age": "7"}},
]  # fmt: skip
DEFINITIONS = Definitions(
    test_accounts=[{"type": "person", "key": "email", "operator": "not_icontains", "value": "@ACME."}],
    actions={
        "3": [{"event": "$autocapture", "text": "buy", "text_matching": "contains"}, {"event": "signed up"}],
        "4": [{"event": "$pageview", "url": "/cart"}],
        "5": [{"event": "$autocapture", "selector": "a > button.cta", "tag_name": "span", "href": "/checkout"}],
        "6": [{"event": "bought", "properties": [{"type": "event", "key": "amount", "operator": "lt", "value": 10}]}],
        "7": [{"event": "$pageview", "url": "(a)\\1", "url_matching": "regex"}],
    },
)
