import gzip
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.capture.digest.facts import to_state
from consumers.capture.digest.parts import part_of
from consumers.capture.messages import snapshot as messages
from consumers.capture.messages.snapshot import from_message, to_messages
from consumers.capture.posting.posted import Accepted, accept, accept_rrweb
from consumers.capture.wire.encodings import Json, dump
from consumers.capture.wire.refusals import CaptureRefused, Malformed, TooLarge, UnknownToken
from consumers.transports.port import Outgoing, Record
from tests.capture.traffic import EXPECTED, NOW, click, posts, recorded, snapshot

SESSION = "01a20999-bb33-73bd-9b63-62d299a58bd9"


def record(message: Outgoing) -> Record:
    return Record("snapshots", 0, 1, message.key, message.value, message.all_headers(), NOW)


def event(**properties: Any) -> dict[str, Any]:
    given = {
        "$session_id": SESSION,
        "$snapshot_data": [click(1_000)],
        "token": "phc_a",
        "distinct_id": "d",
        **properties,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    return {"uuid": "01a20999-c7d9-7c34-b02c-661df20f2407", "event": "$snapshot", "properties": kept}


def post(document: Any, query: dict[str, str] | None = None) -> Accepted:
    return accept(gzip.compress(json.dumps(document).encode()), {}, query or {}, NOW, {"phc_a": 1, "phc_b": 2}.get)


def only(taken: Accepted) -> messages.Snapshot:
    (message,) = taken.messages
    return from_message(record(message))


@pytest.mark.parametrize("name", EXPECTED)
def test_real_bodies_become_messages_and_are_read_back(name: str) -> None:
    session_id = EXPECTED[name]["session_id"]
    found = [from_message(record(message)) for message in recorded(name)]
    assert {one.session_id for one in found} == {session_id}
    assert {one.environment_id for one in found} == {1}
    assert (
        sum(len({one.uuid: one for one in found}[uuid].items) for uuid in {one.uuid for one in found})
        == (EXPECTED[name]["event_count"])
    )


def test_a_message_has_the_form_of_the_reference_pipeline() -> None:
    (message,) = recorded("tests/recordings/sdk_1_257_checkout.jsonl.gz")[:1]
    outer = json.loads(message.value)
    inner = json.loads(outer["data"])
    assert outer["event"] == inner["event"] == "$snapshot_items"
    assert outer["token"] == "phc_demo_token"
    assert inner["properties"]["$session_id"].encode() == message.key
    assert inner["properties"]["$lib"] == "web"
    assert isinstance(inner["properties"]["$snapshot_items"], list)
    assert message.headers["uuid"].decode() == outer["uuid"]
    assert set(message.headers) >= {"token", "distinct_id", "session_id", "timestamp", "event", "uuid", "now"}


def test_a_message_survives_the_round_trip() -> None:
    sent = snapshot([click(1), "packed", {"deep": [None, True, 1.5, "\0 🙂"]}], uuid="not a uuid", sent_at=NOW)
    (message,) = to_messages(sent)
    assert from_message(record(message)) == sent


def test_a_message_of_somebody_else_has_no_environment() -> None:
    (message,) = to_messages(snapshot([click(1)], environment_id=None))
    assert from_message(record(message)).environment_id is None


@pytest.mark.parametrize("body", [[], {"batch": []}])
def test_an_empty_body_publishes_nothing(body: Json) -> None:
    assert post(body).by_topic == {}


@pytest.mark.parametrize("body", ["text", 5, None, True, [5], [None]])
def test_a_body_that_is_no_event_is_refused(body: Json) -> None:
    with pytest.raises(Malformed):
        post(body)


def test_one_event_a_list_and_a_batch_are_the_same() -> None:
    for document in (event(), [event()], {"api_key": "phc_a", "batch": [event()]}):
        assert only(post(document)).uuid == UUID("01a20999-c7d9-7c34-b02c-661df20f2407")


def test_events_that_are_no_recording_go_to_a_topic_of_their_own() -> None:
    taken = post([{"event": "$pageview", "properties": {"token": "phc_a", "distinct_id": "d"}}, event()])
    assert (taken.snapshots, taken.events, taken.refused) == (1, 1, ())
    assert {topic: len(messages) for topic, messages in taken.by_topic.items()} == {"snapshots": 1, "analytics": 1}


@pytest.mark.rule("trap/34")
@pytest.mark.parametrize(
    "session_id", [None, "", "a" * 71, "a/b", "../a", "a b", "a_b", "sess\x00ion", "a\n", "ä", 7, ["a"], "' OR 1=1 --"]
)
def test_illegal_session_ids_are_refused(session_id: Any) -> None:
    with pytest.raises(Malformed):
        post([event(**{"$session_id": session_id})])


def test_session_ids_up_to_70_characters_are_legal() -> None:
    assert only(post([event(**{"$session_id": "a-9" * 23})])).session_id == "a-9" * 23


def test_defaults_and_cuts() -> None:
    taken = only(post([event(**{"$window_id": None, "distinct_id": "d" * 300})]))
    assert taken.window_id == SESSION
    assert taken.distinct_id == "d" * 200
    assert taken.source == "web"
    assert only(post([event(distinct_id="a\0b")])).distinct_id == "a\ufffdb"
    assert only(post([event(distinct_id=None)])).distinct_id is None


@pytest.mark.parametrize("data", [None, [], "text", [1, 2], [{}], [{"type": 3}], [{"type": 3, "timestamp": -5}], {}])
def test_a_snapshot_without_any_event_is_refused(data: Any) -> None:
    """Accepting it would make a message that the consumer can only throw away."""
    with pytest.raises(Malformed):
        post([event(**{"$snapshot_data": data})])


@pytest.mark.parametrize("token", [None, "", "phc_unknown", 5])
def test_unknown_tokens_are_401(token: Any) -> None:
    with pytest.raises(UnknownToken) as refused:
        post([event(token=token)])
    assert refused.value.status == 401


def test_the_token_may_be_in_any_of_its_places() -> None:
    bare = event(token=None)
    for document in ({**bare, "api_key": "phc_b"}, {**bare, "token": "phc_b"}, {"api_key": "phc_b", "batch": [bare]}):
        assert only(post(document)).environment_id == 2
    assert only(post([bare], {"token": "phc_b"})).environment_id == 2


def test_good_events_beside_bad_ones_are_taken() -> None:
    other = {**event(token="phc_b"), "uuid": "01a20999-c7d9-7c34-b02c-661df20f2408"}
    taken = post([event(**{"$session_id": "a/b"}), other, event(token="phc_unknown"), 5])
    assert only(taken).environment_id == 2
    assert [refusal.code for refusal in taken.refused] == ["malformed", "unknown_token", "malformed"]


def test_the_same_uuid_in_another_environment_is_another_message() -> None:
    (one,), (two,) = post([event()]).messages, post([event(token="phc_b")]).messages
    assert one.event_id != two.event_id
    assert post([event()]).messages[0].event_id == one.event_id


def test_without_a_uuid_the_content_decides() -> None:
    bare = event()
    del bare["uuid"]
    assert only(post([bare])).uuid == only(post([{**bare, "sent_at": "2026-11-23T18:10:04Z"}])).uuid
    assert only(post([bare])).uuid != only(post([{**bare, "uuid": "x"}])).uuid


def test_sent_at_from_the_event_or_the_query() -> None:
    assert only(post([{**event(), "sent_at": "2026-11-23T18:10:04.239Z"}])).sent_at is not None
    assert only(post([event()], {"_": "1795457489313"})).sent_at is not None
    assert only(post([event()], {"_": "9" * 30})).sent_at is None


def test_a_long_batch_travels_as_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "SPLIT_AT_BYTES", 1_000)
    items: list[Json] = [click(at) for at in range(1, 101)]
    sent = snapshot(items, uuid="01a20999-c7d9-7c34-b02c-661df20f2407")
    pieces = [from_message(record(message)) for message in to_messages(sent)]
    assert len(pieces) > 5
    assert [item for piece in pieces for item in piece.items] == items
    assert pieces[0].uuid == sent.uuid
    assert len({piece.uuid for piece in pieces}) == len(pieces)
    assert [one.event_id for one in to_messages(sent)] == [one.event_id for one in to_messages(sent)]


JUNK: Json = {"x": "y" * 310}


@pytest.mark.parametrize(
    ("shape", "pieces", "left_out"),
    [
        ("e" + "j" * 9, 1, 7),
        ("j" * 9 + "e", 1, 9),
        ("j" * 9 + "L", 1, 9),
        ("e" + "j" * 9 + "L" + "j" * 9 + "ee", 3, 7 + 9),
        ("jejeje", 1, 1),
        ("ejejejj", 1, 2),
    ],
)
def test_no_piece_is_without_an_event_and_what_does_not_fit_is_counted(
    monkeypatch: pytest.MonkeyPatch, shape: str, pieces: int, left_out: int
) -> None:
    """`e` is an event, `j` junk of a third of a message, `L` an event longer than a message."""
    monkeypatch.setattr(messages, "SPLIT_AT_BYTES", 1_000)
    kinds: dict[str, Json] = {"e": click(1), "j": JUNK, "L": {**click(2), "text": "z" * 2_000}}
    items = [kinds[letter] for letter in shape]
    found = [from_message(record(message)) for message in to_messages(snapshot(items))]
    assert (len(found), sum(one.left_out for one in found)) == (pieces, left_out)
    parts = [part_of(one, 1) for one in found]
    assert sum(part.facts.counts["event_count"] for part in parts) == sum(letter in "eL" for letter in shape)
    assert sum(part.unreadable_count for part in parts) == shape.count("j")
    events = [item for one in found for item in one.items if item != JUNK]
    assert events == [item for item in items if item != JUNK]


def test_a_batch_without_any_event_makes_no_message() -> None:
    with pytest.raises(Malformed):
        to_messages(snapshot([JUNK, 1, "x"]))


@pytest.mark.parametrize("number", ["9" * 400, "1e999", "-1e999"])
def test_numbers_beyond_a_float_spoil_nothing_else(number: str) -> None:
    """They used to raise in the consumer for ever, or to become the word Infinity that no parser takes."""
    body = json.dumps([event(**{"$snapshot_data": [click(1), {"timestamp": "N", "data": ["N", 2**70]}]})])
    taken = accept(body.replace('"N"', number).encode(), {}, {}, NOW, {"phc_a": 1}.get)
    part = part_of(only(taken), 1)
    assert (part.facts.counts["event_count"], part.unreadable_count) == (1, 1)


def test_what_has_too_many_values_for_the_consumer_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Escaped commas are none in the body, and are in the message."""
    monkeypatch.setattr(messages, "MAX_MESSAGE_VALUES", 100)
    assert post([event(**{"$snapshot_data": [{**click(1), "text": "," * 50}]})]).messages
    with pytest.raises(TooLarge):
        post([event(**{"$snapshot_data": [{**click(1), "text": "," * 101}]})])


def test_one_event_that_fits_no_message_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_TEXT_BYTES", 1_000)
    monkeypatch.setattr(messages, "MAX_PLAIN_BYTES", 1_000)
    large = event(**{"$snapshot_data": [{**click(1), "text": "".join(map(chr, range(500, 2_000)))}]})
    with pytest.raises(TooLarge) as refused:
        post([large])
    assert refused.value.status == 413
    assert len(post([large, event()]).messages) == 1


def test_deeply_nested_events_are_refused_and_pages_of_real_depth_are_not() -> None:
    def nested(levels: int) -> Any:
        value: Any = []
        for _ in range(levels):
            value = {"childNodes": [value]}
        return {"type": 2, "timestamp": 1, "data": {"node": value}}

    deep = only(post([event(**{"$snapshot_data": [nested(240)]})]))
    assert deep.items == [nested(240)]
    with pytest.raises(CaptureRefused):
        post([event(**{"$snapshot_data": [nested(260)]})])


def test_a_large_message_is_packed_and_read_back() -> None:
    sent = snapshot([{**click(1), "text": "page " * 50_000}])
    (message,) = to_messages(sent)
    assert message.value.startswith(b"\x1f\x8b")
    assert len(message.value) < 10_000
    assert from_message(record(message)).items == sent.items


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.just(10**400)
    | st.floats()
    | st.text()
    | st.just("\ud83d")
    | st.just("\0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
rough_events = st.fixed_dictionaries(
    {},
    optional={
        "type": st.integers(0, 7) | values,
        "timestamp": st.integers(-5, 10**16) | st.floats() | values,
        "data": values
        | st.fixed_dictionaries(
            {},
            optional={
                "source": st.integers(0, 16) | values,
                "type": st.integers(0, 10) | values,
                "href": values,
                "plugin": st.just("rrweb/console@1") | values,
                "payload": values | st.fixed_dictionaries({"href": values, "level": values}),
            },
        ),
    },
)


@settings(max_examples=300)
@given(
    st.lists(rough_events | values, max_size=4),
    st.fixed_dictionaries({}, optional={"$window_id": values, "distinct_id": values, "$lib": values}),
    st.fixed_dictionaries({}, optional={"uuid": values, "sent_at": values, "timestamp": values}),
)
def test_what_is_accepted_can_always_be_stored(
    items: list[Any], properties: dict[str, Any], envelope: dict[str, Any]
) -> None:
    """A stranger with a project token must not be able to fill the dead letters."""
    body = json.dumps([{**event(**{"$snapshot_data": items, **properties}), **envelope}]).encode()
    try:
        taken = accept(body, {}, {}, NOW, {"phc_a": 1}.get)
    except CaptureRefused:
        return
    for message in taken.messages:
        part = part_of(from_message(record(message)), 1)
        assert part.facts.counts["event_count"] + part.unreadable_count == len(items)
        state = dump(to_state(part.facts))
        assert b"\\u0000" not in state


def rrweb(**fields: Any) -> Accepted:
    body = {"session_id": "rr-1", "token": "phc_a", "source": "rrweb2", "events": [click(1)], **fields}
    return accept_rrweb(json.dumps(body).encode(), {}, {}, NOW, {"phc_a": 1}.get)


def test_plain_rrweb() -> None:
    taken = only(rrweb(window_id="w", distinct_id="d"))
    assert (taken.session_id, taken.window_id, taken.distinct_id, taken.library) == ("rr-1", "w", "d", "rrweb2")
    assert only(rrweb(session_id="x" * 128)).session_id == "x" * 128
    for session_id in ("x" * 129, "a/b", "", None, "a b"):
        with pytest.raises(Malformed):
            rrweb(session_id=session_id)
    with pytest.raises(UnknownToken):
        rrweb(token=None)


def test_a_recording_of_every_path_belongs_to_its_endpoint() -> None:
    (first, *_) = posts("tests/recordings/plain_rrweb2.jsonl.gz")
    with pytest.raises(Malformed, match="no name"):
        accept(first["body"], first["headers"], first["query"], NOW, lambda _token: 1)
