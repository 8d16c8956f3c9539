"""What SDKs post to the endpoints of analytics becomes messages, and is read back as it was meant."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from consumers.capture.analytics.bounds import MAX_BYTES, MAX_PROPERTIES, bounded
from consumers.capture.analytics.elements import elements_of
from consumers.capture.analytics.event import AnalyticsEvent, from_message, to_message
from consumers.capture.posting.posted import Accepted, accept
from consumers.capture.wire.encodings import Json, dump
from consumers.capture.wire.refusals import CaptureRefused, Malformed, UnknownToken
from consumers.transports.port import Outgoing, Record
from tests.capture.traffic import ANALYTICS_PATHS, EXPECTED, NOW, posted, posts, recorded_events

SESSION = "01a20999-bb33-73bd-9b63-62d299a58bd9"


def read(message: Outgoing) -> AnalyticsEvent:
    return from_message(Record("analytics", 0, 1, message.key, message.value, message.all_headers(), NOW))


def event(name: str | None = "order_placed", **fields: Any) -> dict[str, Any]:
    properties = {"distinct_id": "d", "$session_id": SESSION, "token": "phc_a", **fields.pop("properties", {})}
    return {"event": name, "properties": properties, **fields}


def take(body: bytes, query: dict[str, str] | None = None, content_type: str = "text/plain") -> Accepted:
    return accept(body, {"content-type": content_type}, query or {}, NOW, {"phc_a": 1}.get)


def only(taken: Accepted) -> AnalyticsEvent:
    (message,) = taken.analytics
    return read(message)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_posted_event_of_the_samples_becomes_a_message(name: str) -> None:
    """Told against the body as plain JSON, for SDKs of all ages and sites with compression switched off."""
    wanted: dict[str, dict[str, Any]] = {}
    for post in posts(name):
        if post["path"] in ANALYTICS_PATHS and post["body"]:
            for one in plainly(post["body"]):
                wanted[one["uuid"]] = one
    found = {str(one.uuid): one for one in map(read, recorded_events(name))}
    assert set(found) == set(wanted)
    for uuid, one in found.items():
        properties = wanted[uuid]["properties"]
        assert (one.name, one.session_id) == (wanted[uuid]["event"], properties["$session_id"])
        assert (one.distinct_id, one.window_id) == (properties["distinct_id"], properties["$window_id"])
        assert one.properties.items() <= properties.items()
        assert {"$current_url", "$lib", "$browser"} <= one.properties.keys()
        assert not any(key.startswith("$sdk_debug") for key in one.properties)
        stated = wanted[uuid].get("timestamp")
        assert stated is None or one.at == round(datetime.fromisoformat(stated).timestamp() * 1000)


def plainly(body: bytes) -> list[dict[str, Any]]:
    if body.startswith(b"data="):
        body = base64.b64decode(
            body.removeprefix(b"data=").replace(b"%3D", b"=").replace(b"%2F", b"/").replace(b"%2B", b"+")
        )
    document = json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
    return document if isinstance(document, list) else document.get("batch", [document])


def test_one_event_a_list_and_a_batch_in_every_encoding_are_the_same() -> None:
    one = event(uuid="01a20999-c7d9-7c34-b02c-661df20f2407", timestamp="2026-11-24T11:59:00Z")
    found = [
        only(take(encoded, query, kind))
        for document in (one, [one], {"api_key": "phc_a", "batch": [one]})
        for plain in [json.dumps(document).encode()]
        for encoded, query, kind in (
            (plain, {}, "application/json"),
            (gzip.compress(plain), {"compression": "gzip-js"}, "text/plain"),
            (b"data=" + base64.b64encode(plain), {"compression": "base64"}, "application/x-www-form-urlencoded"),
            (base64.b64encode(plain), {}, "text/plain"),
        )
    ]
    assert len(found) == 12
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("place", ["properties", "token", "api_key", "body", "query"])
def test_the_token_may_stand_in_any_of_its_places(place: str) -> None:
    one: dict[str, Any] = {"event": "e", "properties": {"distinct_id": "d"}}
    query = dict[str, str]()
    document: dict[str, Any] = {"batch": [one]}
    if place == "properties":
        one["properties"]["token"] = "phc_a"
    elif place == "query":
        query = {"token": "phc_a"}
    else:
        (document if place == "body" else one)["api_key" if place == "body" else place] = "phc_a"
    assert only(take(json.dumps(document).encode(), query)).environment_id == 1


def test_an_unknown_token_is_refused() -> None:
    with pytest.raises(UnknownToken):
        take(json.dumps(event(properties={"token": "phc_other"})).encode())


def test_the_message_has_the_form_of_the_reference_pipeline() -> None:
    taken = take(json.dumps({"batch": [event()], "api_key": "phc_a", "sent_at": "2026-11-24T11:59:59Z"}).encode())
    (message,) = taken.analytics
    outer = json.loads(message.value)
    assert set(outer) == {"uuid", "distinct_id", "ip", "data", "now", "sent_at", "token", "event", "timestamp"}
    assert json.loads(outer["data"])["properties"]["$session_id"] == SESSION
    assert message.key == SESSION.encode()
    without = only(take(json.dumps(event(properties={"$session_id": None})).encode()))
    assert to_message(without).key == b"d"


def test_a_message_survives_the_round_trip() -> None:
    sent = posted(
        event(
            "$identify",
            properties={
                "$anon_distinct_id": "anon",
                "$set": {"email": "a@b.example", "n": {"deep": [1, None]}},
                "$elements_chain": 'a:text="x";',
                "odd": "\0 \N{SLIGHTLY SMILING FACE}",
            },
            **{"$set_once": {"first": True}, "$unset": ["gone"]},
        )
    )
    assert read(to_message(sent)) == sent
    assert sent.saying.other == "anon"
    assert sent.saying.once == {"first": True}
    assert sent.properties["odd"] == "\ufffd \N{SLIGHTLY SMILING FACE}"


def test_an_event_of_another_pipeline_is_read_by_its_token() -> None:
    data = {"event": "e", "properties": {"$session_id": SESSION}, "offset": 1_000}
    outer = {"uuid": SESSION, "distinct_id": "d", "data": json.dumps(data), "token": "phc_a", "now": NOW.isoformat()}
    found = from_message(Record("analytics", 0, 1, b"k", gzip.compress(json.dumps(outer).encode()), {}, NOW))
    assert (found.environment_id, found.token, found.distinct_id, found.uuid) == (None, "phc_a", "d", UUID(SESSION))
    assert found.at == round(NOW.timestamp() * 1000) - 1_000


@pytest.mark.parametrize(
    ("fields", "before_now"),
    [
        ({"timestamp": "2026-11-24T11:00:00.000Z"}, 3_600_000),
        ({"timestamp": "2026-11-24T12:00:00+01:00"}, 3_600_000),
        ({"offset": 5_000}, 65_000),
        ({"offset": 5_000, "timestamp": "soon"}, 65_000),
        ({"offset": -5}, 60_000),
        ({"offset": True}, 60_000),
        ({}, 60_000),
    ],
)
def test_the_time_is_that_of_the_visitors_clock(fields: dict[str, Any], before_now: int) -> None:
    """Not corrected: the recording of the same browser is not either, and both have to line up."""
    sent_at = (NOW - timedelta(minutes=1)).isoformat()
    found = only(take(json.dumps({"batch": [event(**fields)], "sent_at": sent_at}).encode()))
    assert found.at == round(NOW.timestamp() * 1000) - before_now


def test_an_old_sdk_names_the_time_of_sending_in_the_query() -> None:
    sent = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
    query = {"_": str(round(sent.timestamp() * 1000)), "compression": "gzip-js"}
    found = only(take(gzip.compress(json.dumps(event(offset=7)).encode()), query))
    assert found.at == round(sent.timestamp() * 1000) - 7


def test_an_event_without_an_id_has_the_same_one_each_time_it_is_sent() -> None:
    def sent(second: int, **fields: Any) -> UUID:
        document = {"batch": [event(offset=second * 1_000, **fields)], "sent_at": f"2026-11-24T11:59:{second:02}Z"}
        return only(take(json.dumps(document).encode())).uuid

    assert sent(1) == sent(31)
    assert sent(1) != sent(1, properties={"n": 1})
    assert sent(1, uuid="mine") == sent(2, uuid="mine", properties={"n": 1}) != sent(1)


@pytest.mark.parametrize(
    "broken",
    [
        event(None),
        event(""),
        event({"a": 1}),  # type: ignore[arg-type]
        event(properties={"$session_id": "../x"}),
        event(properties={"$session_id": 7}),
        event(properties={"$session_id": "s' OR 1=1 --"}),
        {"event": "e", "api_key": "phc_a", "properties": [1]},
        {"event": "e", "api_key": "phc_a"},
        {"event": "e", "api_key": "phc_a", "properties": {"distinct_id": {"a": 1}}},
        5,
    ],
)
def test_what_is_no_event_is_refused_and_does_not_harm_its_neighbour(broken: Any) -> None:
    with pytest.raises(Malformed):
        take(json.dumps([broken]).encode())
    taken = take(json.dumps([broken, event("good")]).encode())
    assert only(taken).name == "good"
    assert len(taken.refused) == 1


def test_the_legacy_form_without_a_name_is_an_identify() -> None:
    body = {"$set": {"plan": "pro"}, "$distinct_id": "d", "$token": "phc_a"}
    found = only(take(json.dumps(body).encode()))
    assert (found.name, found.distinct_id, found.session_id, found.saying.set) == (
        "$identify",
        "d",
        None,
        {"plan": "pro"},
    )


HOSTILE: dict[str, Any] = {
    "many": {f"k{number}": number for number in range(5_000)},
    "large": {"a": "x" * 1_000_000, "b": ["y" * 5_000] * 200, "$current_url": "http://shop.test/"},
    "wide": {"a": {f"k{number}": [number] * 50 for number in range(2_000)}},
    "names": {"n" * 5_000: 1, "\0": "\0", "": ""},
    "numbers": {"a": 1e300, "b": -1.5e-300, "c": [True, None]},
    "chain": {"$elements_chain": 'a:"\\' * 50_000},
    "quotes": {"$elements_chain": '\\"' * 50_000},
    "elements": {"$elements": [{"tag_name": "a", "attributes": {f"attr__{n}": "v" * 900 for n in range(90)}}] * 900},
    "person": {"$set": {f"k{number}": "v" * 5_000 for number in range(5_000)}, "$unset": ["u" * 900] * 5_000},
    "exception": {
        "$exception_list": [{"type": "T" * 9_000, "stacktrace": {"frames": [{"function": "f"}] * 9_000}}] * 90
    },
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_properties_become_small_and_stay_the_same(kind: str) -> None:
    given = HOSTILE[kind]
    assert isinstance(given, dict)
    found = posted(event("$exception" if kind == "exception" else "e", properties=given))
    message = to_message(found)
    assert message.size < 500_000
    assert read(message) == found
    assert len(found.properties) <= MAX_PROPERTIES
    assert len(dump({**found.properties})) <= MAX_BYTES + 2
    assert "\0" not in dump({**found.properties}).decode()
    assert found.properties.get("$current_url", "http://shop.test/") == "http://shop.test/"


def test_deep_nesting_is_cut_or_refused() -> None:
    deep: Json = "end"
    for _ in range(200):
        deep = {"in": [deep]}
    assert bounded({"a": deep, "b": 1})["b"] == 1
    with pytest.raises(CaptureRefused):
        take(b'{"event":"e","properties":{"distinct_id":"d","token":"phc_a","a":' + b"[" * 1_000_000)


def test_bookkeeping_of_sdks_is_dropped() -> None:
    given: dict[str, Json] = {
        "$sdk_debug_x": 1,
        "$debug_y": 1,
        "$lib_rate_limit_remaining_tokens": 9,
        "token": "t",
        "$lib": "web",
    }
    assert bounded(given) == {"$lib": "web"}


def test_exceptions_of_new_and_old_sdks_have_the_same_lists() -> None:
    frames: Json = [{"filename": "a.js", "function": "f", "lineno": 3, "vars": {"secret": 1}}]
    listed: Json = [
        {"type": "TypeError", "value": "x is not a function", "stacktrace": {"type": "raw", "frames": frames}}
    ]
    new = posted(event("$exception", properties={"$exception_list": listed}))
    old = posted(
        event("$exception", properties={"$exception_type": "TypeError", "$exception_message": "x is not a function"})
    )
    for found in (new, old):
        assert found.properties["$exception_types"] == ["TypeError"]
        assert found.properties["$exception_values"] == ["x is not a function"]
    assert new.properties["$exception_list"] == [
        {
            "type": "TypeError",
            "value": "x is not a function",
            "stacktrace": {"frames": [{"filename": "a.js", "function": "f", "lineno": 3}]},
        }
    ]


def test_a_chain_of_elements() -> None:
    chain = (
        'a.plink.md:flex:attr__class="plink md:flex"attr__data-pid="2"href="/p;1"attr_id="go"nth-child="1"'
        'nth-of-type="2"text="Say \\"hi\\"; now";article.card:nth-child="2";body'
    )
    assert elements_of(chain) == [
        {
            "tag_name": "a",
            "text": 'Say "hi"; now',
            "href": "/p;1",
            "attr_id": "go",
            "attr_class": ["plink", "md:flex"],
            "nth_child": 1,
            "nth_of_type": 2,
            "attributes": {"attr__class": "plink md:flex", "attr__data-pid": "2"},
        },
        {"tag_name": "article", "attr_class": ["card"], "nth_child": 2},
        {"tag_name": "body"},
    ]
    old: Json = [{"tag_name": "a", "$el_text": "Buy", "attr__href": "/p", "classes": ["x"], "nth_child": 3}, 7]
    assert elements_of(old) == [
        {
            "tag_name": "a",
            "text": "Buy",
            "href": "/p",
            "attr_class": ["x"],
            "nth_child": 3,
            "attributes": {"attr__href": "/p"},
        }
    ]
    assert elements_of(elements_of(old)) == elements_of(old)  # type: ignore[arg-type]
    assert [elements_of(nothing) for nothing in (None, "", [], {}, ";")] == [None] * 5
