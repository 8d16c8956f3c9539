"""Random sessions with their events, console lines and visitors, and random queries about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from psycopg import Connection
from psycopg.types.json import Jsonb

from tests.matching.selecting import SELECTORS

Row = dict[str, Any]

BEGAN = 1_790_000_000_000
"""About when sessions begin, in milliseconds since 1970."""

WORDS = [
    "pro",
    "PRO",
    "free",
    "",
    "100%_x",
    "back\\slash",
    "it's",
    "Ünï ✓",
    "a\nb",
    "5",
    "5.0",
    "1e1",
    "7.50",
    "-3",
    "x5",
    "20.0",
]
DATES = ["2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31 23:30:00-01:00", "2026-02-01T00:00:00.000001Z", "2026-02-31"]
AGO = ["-8m", "-243d", "1y", "-9999y", "-10d", "249h", "-1w"]
URLS = ["https://shop.example/cart?id=1", "https://shop.example/cart/", "https://shop.example", "about:blank", "/x"]
VALUES: list[Any] = [
    *WORDS, *DATES, *URLS, 5, 7.5, -3, 0, 10, 20.0, 1e20, 1e-7,
    True, False, None, ["pro", "x"], [5.0, "free", None, ["x"]], [], {"k": 1},
]  # fmt: skip
PATTERNS = [
    "pro", "^pro$", "(?i)^PR[a-o]", r"\d+",
    r"^\w*$", r"[^/]+//shop\.example/?$", "a.b", "a|5|free", r"^.{3}$", r"x?5\b",
    r"[\s\S]b$", "", r"(?:pro|free)+", r"\\", "[%_'-]", r"[0-9]{1,3}\.", "ï",
]  # fmt: skip
NAMES = ["$pageview", "$autocapture", "bought", "odd 'name' %s {x}"]
KEYS = ["plan", "amount", "$current_url", "it's %s", "$feature/new", "utm_source"]
PEOPLE = ["ann", "bob", "{cy}", "di,ana"]
PERSON_IDS = [UUID(int=number) for number in (1, 2, 3)]
NUMBERS: list[Any] = [5, "5", 7.5, "-3", 0, "1e1", 60, 30.5]
COUNTS = [
    "click_count", "keypress_count", "mouse_activity_count", "console_log_count", "console_warn_count",
    "console_error_count",
]  # fmt: skip

_properties = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3)
_elements = st.fixed_dictionaries(
    {"tag_name": st.sampled_from(["button", "div", "form", "a"])},
    optional={
        "text": st.sampled_from(["pro", "Buy 5", ""]),
        "href": st.sampled_from(["/x", "https://shop.example/cart/"]),
        "attr_id": st.sampled_from(["buy", "other"]),
        "attr_class": st.lists(st.sampled_from(["cta", "big"]), max_size=2),
        "attributes": st.dictionaries(
            st.sampled_from(["data-x", "title"]), st.sampled_from(["abc", "b", ""]), max_size=2
        ),
    },
)
_events: st.SearchStrategy[Row] = st.fixed_dictionaries(
    {
        "uuid": st.uuids(),
        "name": st.sampled_from(NAMES),
        "at": st.integers(BEGAN, BEGAN + 5),
        "distinct_id": st.sampled_from([*PEOPLE, None]),
        "current_url": st.sampled_from([*URLS, None]),
        "properties": _properties,
        "elements": st.none() | st.lists(_elements, max_size=5),
    }
)
_lines = st.fixed_dictionaries({"level": st.sampled_from(["info", "warn", "error"]), "message": st.sampled_from(WORDS)})
_recorded: st.SearchStrategy[Row] = st.fixed_dictionaries(
    {
        "first": st.integers(BEGAN, BEGAN + 100),
        "length": st.sampled_from([0, 5_000, 30_500, 60_000, 60_001]),
        "active": st.sampled_from([0, 1, 5_000, 30_500, 60_000]),
        **{name: st.integers(0, 6) for name in COUNTS},
        "distinct_ids": st.lists(st.sampled_from(PEOPLE), max_size=2, unique=True),
        "start_url": st.sampled_from([*URLS, None]),
        "urls": st.lists(st.sampled_from(URLS), max_size=2, unique=True),
        "snapshot_source": st.sampled_from(["web", "mobile", None]),
        "snapshot_library": st.sampled_from(["web", "posthog-ios", None]),
        "events": st.lists(_events, max_size=4, unique_by=lambda event: event["uuid"]),
        "lines": st.lists(_lines, max_size=3),
    }
)
_sessions = _recorded.map(lambda made: {**made, "last": made["first"] + made["length"]})


def _numbered(sessions: list[Row]) -> list[Row]:
    return [{**session, "id": f"s{number} '%s{{}}"} for number, session in enumerate(sessions)]


def _persons(drawn: tuple[list[int], list[Row]]) -> list[Row]:
    """Every distinct id is of one person, or of none."""
    owners, properties = drawn
    return [
        {
            "id": person_id,
            "distinct_ids": [who for who, owner in zip(PEOPLE, owners, strict=True) if owner == place],
            "properties": properties[place],
        }
        for place, person_id in enumerate(PERSON_IDS)
    ]


worlds = st.fixed_dictionaries(
    {
        "sessions": st.lists(_sessions, min_size=4, max_size=10).map(_numbered),
        "persons": st.tuples(
            st.lists(st.integers(0, 3), min_size=len(PEOPLE), max_size=len(PEOPLE)),
            st.lists(_properties, min_size=len(PERSON_IDS), max_size=len(PERSON_IDS)),
        ).map(_persons),
    }
)

# --- queries --------------------------------------------------------------------------------------------------------


def _one_or_more(values: Iterable[Any]) -> st.SearchStrategy[Any]:
    chosen = st.sampled_from(list(values))
    return chosen | st.lists(chosen, min_size=1, max_size=3)


_scalars = [value for value in VALUES if value is not None and not isinstance(value, list | dict)]
_pairs = st.lists(st.sampled_from(NUMBERS), min_size=2, max_size=2)
OPERATORS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["exact", "is_not", "in", "not_in"], _one_or_more(_scalars)),
    **dict.fromkeys(["icontains", "not_icontains"], _one_or_more([v for v in _scalars if not isinstance(v, bool)])),
    **dict.fromkeys(["regex", "not_regex"], _one_or_more(PATTERNS)),
    **dict.fromkeys(["gt", "gte", "lt", "lte", "min", "max"], _one_or_more(NUMBERS)),
    **dict.fromkeys(["between", "not_between"], _pairs),
    **dict.fromkeys(["is_set", "is_not_set"], st.none()),
    **dict.fromkeys(["is_date_exact", "is_date_before", "is_date_after"], st.sampled_from([*DATES[:-1], *AGO])),
    "is_cleaned_path_exact": _one_or_more(URLS),
}
_TIMES = ["is_date_exact", "is_date_before", "is_date_after", "is_set", "is_not_set"]


@st.composite
def _filter(draw: st.DrawFn, kind: str, keys: list[str], operators: list[str] | None = None) -> Row:
    operator = draw(st.sampled_from(operators or list(OPERATORS)))
    made: Row = {"type": kind, "key": draw(st.sampled_from(keys)), "operator": operator}
    value = draw(OPERATORS[operator])
    return made if value is None else {**made, "value": value}


_on_events = st.one_of(
    _filter("event", KEYS),
    _filter("event", KEYS),
    _filter("feature", ["new", "$feature/new"]),
    _filter("element", ["tag_name"], [name for name in OPERATORS if name not in ("exact", "is_not", "in", "not_in")]),
    _filter("element", ["text", "href"]),
    st.builds(
        lambda operator, value: {"type": "element", "key": "selector", "operator": operator, "value": value},
        st.sampled_from(["exact", "is_not"]),
        st.sampled_from(list(SELECTORS)),
    ),
    _filter("event_metadata", ["event", "distinct_id"]),
    _filter("event_metadata", ["timestamp"], _TIMES),
)
_on_recordings = st.one_of(
    _filter("recording", ["duration", "active_seconds", "inactive_seconds", "activity_score", *COUNTS]),
    _filter("recording", ["snapshot_source", "snapshot_library", "start_url", "visited_page"]),
)
_on_sessions = st.one_of(
    _on_recordings,
    _filter("person", KEYS),
    _filter("event", ["$lib"]),
    _filter("session", ["$session_duration", "$pageview_count"]),
    _filter("session", ["$entry_current_url", "$exit_current_url", "$end_current_url", "$entry_pathname"]),
    _filter("session", ["$entry_utm_source"]),
    _filter("session", ["$start_timestamp"], _TIMES),
)
_on_lines = _filter("log_entry", ["level", "message"])
_nested = st.lists(_on_events | _on_events | _on_recordings | _filter("person", KEYS), max_size=2)
_entities = st.fixed_dictionaries(
    {"id": st.sampled_from([*NAMES, None]), "type": st.just("events")}, optional={"properties": _nested}
)
steps = st.fixed_dictionaries(
    {"event": st.sampled_from([*NAMES, None])},
    optional={
        "url": st.just("shop"),
        "url_matching": st.sampled_from(["exact", "contains", "regex", None]),
        "text": st.sampled_from(["pro", "Buy"]),
        "text_matching": st.sampled_from(["exact", "contains", "regex", None]),
        "href": st.just("/x"),
        "tag_name": st.just("button"),
        "selector": st.sampled_from(list(SELECTORS)),
        "properties": st.lists(_filter("event", KEYS), max_size=1),
    },
)
actions = st.dictionaries(st.just(3) | st.just(7), st.lists(steps, min_size=1, max_size=2), min_size=2, max_size=2)
test_accounts = st.lists(_on_sessions | _on_events, max_size=2)
queries = st.fixed_dictionaries(
    {},
    optional={
        "events": st.lists(_entities, min_size=1, max_size=2),
        "actions": st.lists(
            st.fixed_dictionaries({"id": st.sampled_from([3, 7])}, optional={"properties": _nested}), max_size=1
        ),
        "properties": st.lists(_on_events | _on_sessions | _on_lines, min_size=1, max_size=3),
        "console_log_filters": st.lists(_on_lines, min_size=1, max_size=2),
        "having_predicates": st.lists(_on_recordings, max_size=1),
        "filter_test_accounts": st.booleans(),
        "operand": st.sampled_from(["AND", "OR", "OR"]),
        "session_ids": st.lists(st.integers(0, 9).map(lambda number: f"s{number} '%s{{}}"), min_size=3),
        "distinct_ids": st.lists(st.sampled_from([*PEOPLE, "nul\x00", "\ud800"]), max_size=3),
        "person_uuid": st.sampled_from([str(UUID(int=1)), str(UUID(int=9)), None]),
    },
)

# --- into the tables ------------------------------------------------------------------------------------------------

_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_SESSION = f"""
INSERT INTO capture.session (environment_id, session_id, first_timestamp, last_timestamp, active_milliseconds,
    {", ".join(COUNTS)}, distinct_id, distinct_ids, start_url, urls, snapshot_source, snapshot_library, settle_number,
    settled_at, first_received_at, last_received_at, event_count, size)
VALUES ({", ".join(["%s"] * (11 + 12))})
"""


def fill(connection: Connection, environment: int, world: Row, first_number: int) -> None:
    """The world's sessions settle in their order, with consecutive numbers."""
    sessions = world["sessions"]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            _SESSION.encode(),
            [
                (
                    environment, each["id"], each["first"], each["last"], each["active"],
                    *(each[name] for name in COUNTS), next(iter(each["distinct_ids"]), None), each["distinct_ids"],
                    each["start_url"], each["urls"], each["snapshot_source"], each["snapshot_library"],
                    first_number + place, _NOW, _NOW, _NOW, each.get("event_count", 0), each.get("size", 0),
                )
                for place, each in enumerate(sessions)
            ],
        )  # fmt: skip
        cursor.executemany(
            "INSERT INTO capture.analytics_event (environment_id, session_id, uuid, name, at, distinct_id, current_url,"
            " properties, elements, window_id, received_at, arrived_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (environment, each["id"], event["uuid"], event["name"], event["at"], event["distinct_id"],
                 event["current_url"], Jsonb(event["properties"]), _jsonb(event["elements"]),
                 event.get("window_id"), _NOW, _NOW)
                for each in sessions
                for event in each["events"]
            ],
        )  # fmt: skip
        cursor.executemany(
            "INSERT INTO capture.console_line (environment_id, session_id, part, place, at, level, message)"
            " VALUES (%s, %s, %s, %s, 0, %s, %s)",
            [
                (environment, each["id"], uuid4(), place, line["level"], line["message"])
                for each in sessions
                for place, line in enumerate(each["lines"])
            ],
        )
        cursor.executemany(
            "INSERT INTO capture.person (environment_id, person_id, properties, email) VALUES (%s, %s, %s, %s)",
            [
                (environment, person["id"], Jsonb(person["properties"]), person.get("email"))
                for person in world["persons"]
            ],
        )
        cursor.executemany(
            "INSERT INTO capture.visitor (environment_id, distinct_id, person_id) VALUES (%s, %s, %s)",
            [(environment, who, person["id"]) for person in world["persons"] for who in person["distinct_ids"]],
        )


def _jsonb(value: Any) -> Any:
    return None if value is None else Jsonb(value)
