"""Real messages fit the schemas to the letter, and messages with something wrong do not: the schemas say something."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from commands.store.mapper import VERSION_KEY, EventMapper
from consumers.capture.messages.held import BLOB
from consumers.capture.messages.snapshot import EVENT, LEFT_OUT
from consumers.transports.port import Record
from domain.event import EVENT_CLASSES
from tests.golden.record import histories
from tests.topics.conftest import Wire
from tests.topics.event_schemas import file_of
from tests.topics.generate import SUFFIX, versions
from tests.topics.messages import GZIP, value_of
from tests.topics.other_schemas import TICKS
from tests.topics.validating import committed, mutations, problems, validator

TOPICS = ("events", "ticks", "snapshots", "analytics", "signals")


@pytest.mark.parametrize("topic", TOPICS)
def test_what_we_publish_fits_and_has_no_field_without_a_description(wire: Wire, topic: str) -> None:
    for record in wire[topic]:
        assert problems(topic, value_of(record)) == [], record.event_id
        assert problems(topic, value_of(record), strict=True) == [], record.event_id


def test_the_messages_are_of_every_kind(wire: Wire) -> None:
    """Otherwise the tests of this file could pass on less than there is."""
    events = wire["events"]
    assert {(record.headers["type"].decode(), int(record.headers["schema"])) for record in events} == set(versions())
    assert {value_of(record)["tick"] for record in wire["ticks"]} == set(TICKS)
    snapshots = [value_of(record) for record in wire["snapshots"]]
    properties = [json.loads(snapshot["data"])["properties"] for snapshot in snapshots if snapshot["data"]]
    assert {"sent_at" in snapshot for snapshot in snapshots} == {True, False}
    assert {LEFT_OUT in each for each in properties} == {True, False}
    assert {each["$lib_version"] is None for each in properties} == {True, False}
    assert {record.value.startswith(GZIP) for record in wire["snapshots"]} == {True, False}
    analytics = [value_of(record) for record in wire["analytics"]]
    assert {"sent_at" in event for event in analytics} == {True, False}
    assert {event["distinct_id"] == "" for event in analytics} == {True, False}
    assert {"session_id" in record.headers for record in wire["analytics"]} == {True, False}
    assert {type(item) for each in properties for item in each["$snapshot_items"]} == {dict, str}


def test_headers_and_keys_say_what_the_value_says(wire: Wire) -> None:
    for record in wire["events"]:
        value = value_of(record)
        assert record.event_id == value["event_id"] == f"{value['stream_id']}:{value['version']}"
        assert record.headers["type"].decode() == value["type"]
        assert record.headers["schema"].decode() == str(value["data"].get(VERSION_KEY, 1))
        assert record.source_id == value["position"]
        assert record.key is not None
        assert record.key.hex() == value["stream_id"].replace("-", "")
    for record in wire["ticks"]:
        assert record.key == value_of(record)["tick"].encode()
    for record in wire["analytics"]:
        value, headers = value_of(record), {name: each.decode() for name, each in record.headers.items()}
        assert record.key is not None
        assert record.key.decode() == headers.get("session_id", value["distinct_id"])
        assert {name: headers[name] for name in ("uuid", "token", "distinct_id", "now", "event")} == {
            name: value[name] for name in ("uuid", "token", "distinct_id", "now", "event")
        }
        assert record.event_id.startswith(f"{headers['environment_id']}/")
        assert record.event_id.endswith(f"/{value['uuid']}")
    for record in wire["signals"]:
        value = value_of(record)
        assert record.event_id == value["source_id"]
        assert record.key == value["extra"]["session_id"].encode()
        assert record.headers["environment_id"] == str(value["environment_id"]).encode()
        assert record.headers["problem_type"] == value["extra"]["problem_type"].encode()
    for record in wire["snapshots"]:
        value, headers = value_of(record), {name: each.decode() for name, each in record.headers.items()}
        held = BLOB in headers
        session_id = headers["session_id"] if held else json.loads(value["data"])["properties"]["$session_id"]
        assert held == (not value["data"])
        assert record.key == session_id.encode() == headers["session_id"].encode()
        assert {name: headers[name] for name in ("uuid", "token", "distinct_id", "now", "event")} == {
            name: value[name] for name in ("uuid", "token", "distinct_id", "now", "event")
        }
        assert record.event_id == f"{headers['environment_id']}/{session_id}/{value['uuid']}"


def test_events_with_something_wrong_are_refused(wire: Wire) -> None:
    """Through the envelope, as a reader would, so that it is known to look into the data."""
    kinds = {(record.headers["type"], record.headers["schema"]): record for record in wire["events"]}
    assert _accepted(list(kinds.values()), _broken_event) == []


def test_ticks_and_snapshots_with_something_wrong_are_refused(wire: Wire) -> None:
    assert _accepted(wire["ticks"], lambda value: mutations(committed(f"ticks{SUFFIX}"), value, {})) == []
    small = [record for record in wire["snapshots"] if len(record.value) < 5_000 and BLOB not in record.headers]
    assert small
    assert _accepted(small, _broken_snapshot) == []
    assert _accepted(wire["analytics"][:5], _broken_snapshot) == []
    signals = committed(f"signals{SUFFIX}")
    assert _accepted(wire["signals"], lambda value: mutations(signals, value, {})) == []


@pytest.mark.parametrize(
    "change",
    [
        {"$snapshot_items": []},
        {"$snapshot_items": [{"no": "event"}, 7]},
        {"$session_id": "a/b"},
        {"$session_id": "s" * 129},
        {"$window_id": "w" * 201},
        {LEFT_OUT: 0},
    ],
    ids=str,
)
def test_a_snapshot_outside_the_limits_is_refused(wire: Wire, change: dict[str, Any]) -> None:
    value = value_of(wire["snapshots"][0])
    data = json.loads(value["data"])
    broken = {**data, "properties": {**data["properties"], **change}}
    assert problems("snapshots", {**value, "data": json.dumps(broken)}) != []


def test_every_required_field_and_every_type_was_tried(wire: Wire) -> None:
    """Of what `mutations` makes, by the example of one event that has references to private text in it."""
    record = next(each for each in wire["events"] if each.headers["type"] == b"ObservationSucceeded")
    tried = {where for where, _ in _broken_event(value_of(record))}
    assert {
        "stream_id missing",
        "stream_id of another format",
        "data missing",
        "data.recorded_at of another format",
        "data.actor.type missing",
        "data.result of another type",
        "data.text.digest of another type",
        "data.cost_usd missing",
    } <= tried


def test_a_renamed_field_is_noticed_by_the_strict_form_alone(wire: Wire) -> None:
    """Readers must let additions pass; we must not make them unawares."""
    for record in wire["events"]:
        value = value_of(record)
        for added in ({**value, "added": 1}, {**value, "data": {**value["data"], "added": 1}}):
            assert problems("events", added) == []
            assert problems("events", added, strict=True) != []
    snapshot = value_of(wire["snapshots"][0])
    data = json.loads(snapshot["data"])
    inner = {**data, "properties": {**data["properties"], "added": 1}}
    for added in ({**snapshot, "added": 1}, {**snapshot, "data": json.dumps(inner)}):
        assert problems("snapshots", added) == []
        assert problems("snapshots", added, strict=True) != []


def test_readers_let_types_and_versions_of_later_releases_pass(wire: Wire) -> None:
    value = value_of(wire["events"][0])
    assert problems("events", {**value, "type": "NotYetInvented", "data": {}}) == []
    assert problems("events", {**value, "data": {"schema_version": 99}}) == []
    assert problems("events", {**value, "data": {}}) != []


def test_a_tiny_cost_fits() -> None:
    """As text it has an exponent."""
    done = next(
        event for aggregate in histories() for event in aggregate.collect_events()
        if type(event) is EVENT_CLASSES["ObservationSucceeded"]
    )  # fmt: skip
    cheap = done.model_copy(update={"cost_usd": Decimal("0.00000015")})
    data = json.loads(EventMapper().to_stored_event(cheap).state)
    assert data["cost_usd"] == "1.5E-7"
    validator(file_of("ObservationSucceeded", 2), strict=True).validate(data)


def _accepted(records: list[Record], broken: Any) -> list[str]:
    """The broken values that the schemas let pass."""
    topic = records[0].topic
    return [
        f"{record.event_id}: {where}"
        for record in records
        for where, value in broken(value_of(record))
        if problems(topic, value) == []
    ]


def _broken_event(value: Any) -> Iterator[tuple[str, Any]]:
    yield from mutations(committed(f"events{SUFFIX}"), value, {})
    schema = committed(file_of(value["type"], value["data"].get("schema_version", 1)))
    for where, data in mutations(schema, value["data"], schema):
        # The version says which schema holds: with another it is another release's event, and passes.
        if data.get(VERSION_KEY, 1) == value["data"].get(VERSION_KEY, 1):
            yield f"data.{where}", {**value, "data": data}


def _broken_snapshot(value: Any) -> Iterator[tuple[str, Any]]:
    topic = "snapshots" if value["event"] == EVENT else "analytics"
    root = committed(f"{topic}{SUFFIX}")
    yield from mutations(root, value, root)
    for where, data in mutations(root["$defs"]["data"], json.loads(value["data"]), root):
        yield f"data: {where}", {**value, "data": json.dumps(data)}
