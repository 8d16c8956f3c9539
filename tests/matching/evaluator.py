"""What a recording filter means, written from engine 3.2 without looking at the compiler: slow, obvious, over dicts.

A world is `{"sessions": [...], "persons": [...]}`; see worlds.py for the fields. Only conditions that are answered
come here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.matching.selecting import selected

Row = dict[str, Any]

NOW = datetime(2026, 10, 1, tzinfo=UTC)
"""When the queries are asked."""

NEGATIVE = {
    "is_not": "exact",
    "not_in": "in",
    "not_icontains": "icontains",
    "not_regex": "regex",
    "is_not_set": "is_set",
    "not_between": "between",
}


def matching(query: Row, world: Row, test_accounts: list[Row], actions: dict[int, list[Row]]) -> set[str]:
    """Ids of the sessions that the query selects."""
    return {
        session["id"]
        for session in world["sessions"]
        if _selects(query, session, world["persons"], test_accounts, actions)
    }


def _selects(
    query: Row, session: Row, persons: list[Row], test_accounts: list[Row], actions: dict[int, list[Row]]
) -> bool:
    always = list(query.get("having_predicates") or [])
    if query.get("filter_test_accounts"):
        always += test_accounts
    if not _is_named(query, session, persons) or not all(_filter(each, session, persons) for each in always):
        return False
    optional = [_entity(entity, session, persons) for entity in query.get("events") or []]
    optional += [
        any(_step(step, action.get("properties") or [], session, persons) for step in actions[action["id"]])
        for action in query.get("actions") or []
    ]
    either = query.get("operand") == "OR"
    properties = query.get("properties") or []
    on_lines = [each for each in properties if each and each["type"] == "log_entry"]
    optional += [_filter(each, session, persons) for each in properties if each and each not in on_lines]
    on_lines += query.get("console_log_filters") or []
    if on_lines and either:
        optional += [_filter(each, session, persons) for each in on_lines]
    elif on_lines:
        optional.append(_lines(on_lines, session))
    return any(optional) if either and optional else all(optional)


def _is_named(query: Row, session: Row, persons: list[Row]) -> bool:
    """Distinct ids win over a person."""
    visitors = {*session["distinct_ids"], *(event["distinct_id"] for event in session["events"])}
    if query.get("session_ids") is not None and session["id"] not in query["session_ids"]:
        return False
    if query.get("distinct_ids") is not None:
        return bool(visitors & set(query["distinct_ids"]))
    people = [str(person["id"]) for person in _people(visitors, persons)]
    return not query.get("person_uuid") or query["person_uuid"] in people


def _entity(entity: Row, session: Row, persons: list[Row], tests: Iterable[Callable[[Row], bool]] = ()) -> bool:
    """An event that passes; negative filters are about all events of the name."""
    name = entity.get("id") if entity.get("id") is not None else entity.get("name")
    named = [event for event in session["events"] if name is None or event["name"] == name]
    filters = entity.get("properties") or []
    about_events = [each for each in filters if each["type"] in ("event", "element", "feature", "event_metadata")]
    positive = [each for each in about_events if each["operator"] not in NEGATIVE]
    negative = [each for each in about_events if each["operator"] in NEGATIVE]
    if not all(_filter(each, session, persons) for each in filters if each not in about_events):
        return False
    if not all(_no_value(each, [value for event in named for value in _of_event(each, event)]) for each in negative):
        return False
    return any(
        all(check(event) for check in tests) and all(_some_value(each, _of_event(each, event)) for each in positive)
        for event in named
    )


def _step(step: Row, also: list[Row], session: Row, persons: list[Row]) -> bool:
    """A step of an action is an event with everything that it names."""
    tests: list[Callable[[Row], bool]] = []
    operators = {"exact": "exact", "contains": "icontains", "regex": "regex"}
    if step.get("url"):
        how = operators[step.get("url_matching") or "contains"]
        tests.append(
            lambda event: any(
                value is not None and positive_form(how, step["url"], value)
                for value in _sent(how, event["properties"].get("$current_url"))
            )
        )
    for field in ("text", "href"):
        if step.get(field):
            operator = operators[step.get(f"{field}_matching") or "exact"]
            tests.append(
                lambda event, field=field, operator=operator: any(
                    element.get(field) is not None and positive_form(operator, step[field], element[field])
                    for element in event["elements"] or []
                )
            )
    if step.get("tag_name"):
        tests.append(lambda event: any(e.get("tag_name") == step["tag_name"] for e in event["elements"] or []))
    if step.get("selector"):
        tests.append(lambda event: selected(step["selector"], event["elements"] or []))
    filters = [*(step.get("properties") or []), *also]
    return _entity({"id": step.get("event"), "properties": filters}, session, persons, tests)


def _lines(filters: list[Row], session: Row) -> bool:
    """One line has all positive forms; no line has a negative one."""
    positive = [each for each in filters if each["operator"] not in NEGATIVE]
    negative = [each for each in filters if each["operator"] in NEGATIVE]
    if not all(_no_value(each, [line[each["key"]] for line in session["lines"]]) for each in negative):
        return False
    return not positive or any(
        all(_some_value(each, [line[each["key"]]]) for each in positive) for line in session["lines"]
    )


def _filter(each: Row, session: Row, persons: list[Row]) -> bool:
    """One filter by itself, about the whole session."""
    if not each:
        return True
    if each["type"] == "element" and each["key"] == "selector" and each["operator"] in ("exact", "is_not"):
        some = any(selected(each["value"], event["elements"] or []) for event in session["events"])
        return some is (each["operator"] == "exact")
    values = list(_values(each, session, persons))
    return _no_value(each, values) if each["operator"] in NEGATIVE else _some_value(each, values)


def _some_value(each: Row, values: Iterable[Any]) -> bool:
    if each["type"] == "element" and each["key"] == "selector":
        return any(values)
    return any(value is not None and positive_form(each["operator"], each.get("value"), value) for value in values)


def _no_value(each: Row, values: Iterable[Any]) -> bool:
    return not _some_value({**each, "operator": NEGATIVE[each["operator"]]}, values)


def _values(each: Row, session: Row, persons: list[Row]) -> Iterator[Any]:
    """What the session has under the filter's key."""
    kind, key = each["type"], each["key"]
    if kind == "event" and key == "$lib":
        yield session["snapshot_library"]
    elif kind in ("event", "element", "feature", "event_metadata"):
        for event in session["events"]:
            yield from _of_event(each, event)
    elif kind == "person":
        for person in _people({*session["distinct_ids"], *(e["distinct_id"] for e in session["events"])}, persons):
            yield from _sent(each["operator"], person["properties"].get(key))
    elif kind == "log_entry":
        for line in session["lines"]:
            yield line[key]
    elif key == "visited_page":
        yield from session["urls"]
    else:
        yield from _sent(each["operator"], _fact(key, session))


def _of_event(each: Row, event: Row) -> Iterator[Any]:
    kind, key = each["type"], each["key"]
    if kind == "event":
        yield from _sent(each["operator"], event["properties"].get(key))
    elif kind == "feature":
        yield from _sent(each["operator"], event["properties"].get(f"$feature/{key.removeprefix('$feature/')}"))
    elif kind == "event_metadata":
        yield {"event": event["name"], "distinct_id": event["distinct_id"], "timestamp": _time(event["at"])}[key]
    elif key == "selector":
        yield selected(each["value"], event["elements"] or [])
    else:
        for element in event["elements"] or []:
            yield element.get(key)


def _sent(operator: str, value: Any) -> Iterator[Any]:
    """What a page sent: each element of a list, which is set as a whole; numbers by what they are worth."""
    several = value if isinstance(value, list) and operator not in ("is_set", "is_not_set") else [value]
    for one in several:
        yield Decimal(repr(one)) if isinstance(one, int | float) and not isinstance(one, bool) else one


def _people(distinct_ids: set[Any], persons: list[Row]) -> list[Row]:
    return [person for person in persons if distinct_ids & set(person["distinct_ids"])]


def _fact(key: str, session: Row) -> Any:  # noqa: C901, PLR0911 - a table of facts
    """Seconds and scores as decimals, so that nothing is rounded on the way."""
    duration = Decimal(session["last"] - session["first"]) / 1000
    active = Decimal(session["active"]) / 1000
    in_order = sorted(session["events"], key=lambda event: (event["at"], event["uuid"]))
    addresses = [event["current_url"] for event in in_order if event["current_url"] is not None]
    match key:
        case "duration" | "$session_duration":
            return duration
        case "active_seconds":
            return active
        case "inactive_seconds":
            return max(Decimal(0), duration - active)
        case "activity_score":
            done = active + session["click_count"] + session["keypress_count"] + session["console_error_count"]
            counts = ("mouse_activity_count", "console_error_count", "console_log_count", "console_warn_count")
            over = duration + sum(session[name] for name in counts)
            return (100 * done / over).quantize(Decimal("0.01"), ROUND_HALF_UP) if over else Decimal(0)
        case "$entry_current_url":
            return session["start_url"] if session["start_url"] is not None else next(iter(addresses), None)
        case "$exit_current_url" | "$end_current_url":
            return addresses[-1] if addresses else (session["urls"][-1] if session["urls"] else None)
        case "$entry_pathname":
            address = _fact("$entry_current_url", session)
            return None if address is None or "://" not in address else _pathname(address)
        case "$pageview_count":
            return Decimal(sum(event["name"] == "$pageview" for event in in_order))
        case "$start_timestamp":
            return _time(session["first"])
        case "$entry_utm_source":
            return in_order[0]["properties"].get("utm_source") if in_order else None
        case _:
            value = session[key]
            return Decimal(value) if isinstance(value, int) else value


def _pathname(address: str) -> str:
    rest = re.split(r"[?#]", address.split("://", 1)[1])[0]
    return rest[rest.index("/") :] if "/" in rest else ""


def positive_form(operator: str, wanted: Any, value: Any) -> bool:  # noqa: PLR0911 - a table of operators
    """Whether one value that is there has the positive form of an operator."""
    text = "" if isinstance(value, datetime) else _text(value)
    several = wanted if isinstance(wanted, list) else [wanted]
    match operator:
        case "is_set":
            return True
        case "exact" | "in":
            if isinstance(value, Decimal):
                return any(_number(_text(each)) == value for each in several if each is not None)
            return any(text == _text(each) for each in several if each is not None)
        case "icontains":
            return any(_text(each).lower() in text.lower() for each in several)
        case "regex":
            return any(_finds(each, text) for each in several)
        case "is_cleaned_path_exact":
            return any(_clean(text) == _clean(each) for each in several)
        case "between":
            low, high, number = _number(_text(wanted[0])), _number(_text(wanted[1])), _number(text)
            return low is not None and high is not None and number is not None and low <= number <= high
        case "is_date_exact" | "is_date_before" | "is_date_after":
            return _dated(operator, wanted, value)
        case _:
            number = _number(text)
            return number is not None and any(_compare(operator, number, each) for each in several)


def _compare(operator: str, number: Decimal, wanted: Any) -> bool:
    other = _number(_text(wanted))
    assert other is not None
    return {
        "gt": number > other, "gte": number >= other, "min": number >= other,
        "lt": number < other, "lte": number <= other, "max": number <= other,
    }[operator]  # fmt: skip


def _dated(operator: str, wanted: Any, value: Any) -> bool:
    at = value if isinstance(value, datetime) else _moment(_text(value))
    ago = re.fullmatch(r"-?([0-9]{1,4})([hdwmy])", wanted)
    then = _before_now(int(ago[1]), ago[2]) if ago else _moment(wanted)
    assert then is not None
    if at is None:
        return False
    if operator == "is_date_before":
        return at < then
    if operator == "is_date_exact":
        return at.date() == then.date()
    return at >= then + timedelta(days=1) if len(wanted) == 10 else at > then


def _before_now(number: int, unit: str) -> datetime:
    months = {"m": number, "y": 12 * number}.get(unit, 0)
    hours = {"h": number, "d": 24 * number, "w": 7 * 24 * number}.get(unit, 0)
    if months >= 12 * NOW.year:
        return datetime.min.replace(tzinfo=UTC)
    year, month = divmod(12 * NOW.year + NOW.month - 1 - months, 12)
    return NOW.replace(year=year, month=month + 1) - timedelta(hours=hours)


def _moment(text: str) -> datetime | None:
    if not re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _number(text: str) -> Decimal | None:
    found = re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text)
    return Decimal(text) if found and len(text) <= 400 else None


def _finds(pattern: str, text: str) -> bool:
    """Python's `$` also stands before a closing line break."""
    return re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None


def _clean(text: str) -> str:
    return text.split("#", maxsplit=1)[0].split("?", maxsplit=1)[0].rstrip("/")


def _time(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _text(Decimal(repr(value)))
    return json.dumps(value, ensure_ascii=False)
