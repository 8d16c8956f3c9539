"""Events to stored form and back: whole, under explicit topics, with upcasting, and with documented refusals."""

import re
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any, ClassVar
from uuid import UUID, uuid4

import orjson
import pytest
from eventsourcing.utils import get_topic
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.store.catalogue  # noqa: F401 - imports every event class
from commands.store.mapper import STATE_LIMIT, UPCASTERS, VERSION_KEY, EventMapper
from domain.alert import Measuring, Reading
from domain.event import EVENT_CLASSES, Actor, Aggregate, Event, FirstEvent, stored
from domain.observation import UNKNOWN, Usage
from domain.run_deliveries import Deliveries
from domain.scanner import ScannerRenamed
from tests.store.strategies import EVENTS
from tests.store.world import NOW

MAPPER = EventMapper()
TOPICS = sorted(EVENT_CLASSES)
STREAM = UUID(int=1)
ENVELOPE: dict[str, Any] = {
    "recorded_at": "2026-11-23T09:30:00Z",
    "actor": {"type": "system", "user_id": None, "key_prefix": None, "role": "tests"},
    "correlation_id": str(UUID(int=2)),
    "environment_id": 7,
    "organization_id": None,
    "causation_id": None,
}


def declared(base: type[Any]) -> Iterator[type[Any]]:
    for subclass in base.__subclasses__():
        yield subclass
        yield from declared(subclass)


def decode(topic: str, state: object) -> Event:
    return MAPPER.decode(STREAM, 1, topic, state if isinstance(state, bytes) else orjson.dumps(state))


@pytest.mark.parametrize("topic", TOPICS)
@given(data=st.data())
@settings(max_examples=25)
def test_every_event_comes_back_as_it_was(topic: str, data: st.DataObject) -> None:
    event = data.draw(EVENTS[topic])
    row = MAPPER.to_stored_event(event)
    assert MAPPER.to_domain_event(row) == event
    assert MAPPER.to_stored_event(MAPPER.to_domain_event(row)) == row
    assert (row.topic, row.originator_id, row.originator_version) == (
        topic,
        event.originator_id,
        event.originator_version,
    )
    state = orjson.loads(row.state)
    assert not {"originator_id", "originator_version", "timestamp"} & state.keys()
    assert state.get(VERSION_KEY) == (event.SCHEMA_VERSION if event.SCHEMA_VERSION > 1 else None)
    assert "recorded_at" in state


def test_every_event_and_aggregate_class_of_the_domain_has_an_explicit_topic_of_its_own() -> None:
    classes = {each for base in (Event, Aggregate) for each in declared(base) if each.__module__.startswith("domain.")}
    bases = {FirstEvent, Deliveries, Reading, Measuring}
    concrete = {each for each in classes if each not in bases and not each.__name__.startswith("_")}
    assert all("TOPIC" in vars(each) for each in concrete)
    topics = [each.TOPIC for each in concrete]
    assert len(topics) == len(set(topics))
    assert {each.TOPIC: each for each in concrete if issubclass(each, Event)} == EVENT_CLASSES
    assert all(get_topic(each) == each.TOPIC for each in concrete)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", topic) for topic in TOPICS)
    assert all(topic == each.__name__ for topic, each in EVENT_CLASSES.items())


def test_events_are_frozen_and_closed() -> None:
    for event_class in EVENT_CLASSES.values():
        assert event_class.model_config.get("frozen")
        assert event_class.model_config.get("extra") == "forbid"


def test_an_unknown_topic_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="ScannerPainted"):
        decode("ScannerPainted", ENVELOPE)


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        {**ENVELOPE},
        {**ENVELOPE, "name": 5},
        {**ENVELOPE, "name": None},
        {**ENVELOPE, "name": "a", "colour": "red"},
        {**ENVELOPE, "name": "a", "recorded_at": "yesterday"},
        {**ENVELOPE, "name": "a", "actor": {"type": "ghost"}},
        {**ENVELOPE, "name": "a", "correlation_id": "1"},
        {**ENVELOPE, "name": "a", VERSION_KEY: 2},
        {**ENVELOPE, "name": "a", VERSION_KEY: 0},
        {**ENVELOPE, "name": "a", VERSION_KEY: "1"},
        {**ENVELOPE, "name": "a", VERSION_KEY: None},
    ],
)
def test_a_malformed_state_is_a_value_error(state: object) -> None:
    assert decode("ScannerRenamed", {**ENVELOPE, "name": "a"}).originator_id == STREAM
    with pytest.raises(ValueError):  # noqa: PT011 - the class is what is documented
        decode("ScannerRenamed", state)


CUT = st.sampled_from(TOPICS).flatmap(EVENTS.__getitem__).map(lambda event: MAPPER.to_stored_event(event).state[:-1])


@given(st.binary(max_size=60) | CUT)
@settings(max_examples=50)
def test_whatever_bytes_lie_in_the_store_only_documented_errors_come_out(state: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        decode("ObservationRequested", state)


def test_only_events_of_this_project_are_stored() -> None:
    with pytest.raises(TypeError):
        MAPPER.to_stored_event(object())  # type: ignore[arg-type]


def test_the_cap_is_the_documented_one() -> None:
    assert STATE_LIMIT == 256 * 1024


# --- upcasting ------------------------------------------------------------------------------------------------------


class Painted(Event):
    """A made-up event whose first version said `color`, its second `colour`; the third added `coats`."""

    TOPIC: ClassVar[str] = "TestsPainted"
    SCHEMA_VERSION: ClassVar[int] = 3
    colour: str
    coats: int

    def apply(self, aggregate: Any) -> None:
        aggregate.colour = self.colour


def renamed_colour(state: dict[str, Any]) -> None:
    state["colour"] = state.pop("color")


def one_coat(state: dict[str, Any]) -> None:
    state["coats"] = 1


@pytest.fixture
def painting(monkeypatch: pytest.MonkeyPatch) -> EventMapper:
    monkeypatch.setitem(EVENT_CLASSES, Painted.TOPIC, Painted)
    return EventMapper({(Painted.TOPIC, 1): renamed_colour, (Painted.TOPIC, 2): one_coat})


@pytest.mark.parametrize(
    ("state", "coats"),
    [
        ({"color": "red"}, 1),
        ({VERSION_KEY: 1, "color": "red"}, 1),
        ({VERSION_KEY: 2, "colour": "red"}, 1),
        ({VERSION_KEY: 3, "colour": "red", "coats": 4}, 4),
    ],
)
def test_states_of_every_old_version_are_brought_up_to_date(
    painting: EventMapper, state: dict[str, Any], coats: int
) -> None:
    event = painting.decode(STREAM, 4, Painted.TOPIC, orjson.dumps({**ENVELOPE, **state}))
    assert isinstance(event, Painted)
    assert (event.colour, event.coats, event.originator_version) == ("red", coats, 4)
    again = painting.to_stored_event(event)
    assert orjson.loads(again.state)[VERSION_KEY] == 3
    assert painting.to_domain_event(again) == event


def test_a_later_version_than_this_release_knows_is_refused(painting: EventMapper) -> None:
    with pytest.raises(ValueError, match="schema version 4"):
        painting.decode(
            STREAM, 1, Painted.TOPIC, orjson.dumps({**ENVELOPE, VERSION_KEY: 4, "colour": "red", "coats": 1})
        )


def test_every_class_beyond_version_1_has_an_upcaster_for_each_step_and_no_other_exists() -> None:
    steps = {(topic, old) for topic, each in EVENT_CLASSES.items() for old in range(1, each.SCHEMA_VERSION)}
    assert set(UPCASTERS) == steps


@pytest.mark.parametrize("topic", ["TryFailed", "ObservationFailed", "ObservationIneligible"])
def test_what_an_old_try_used_is_not_known_which_is_not_nothing(topic: str) -> None:
    ending = {"run": 1, "lease_token": str(UUID(int=1)), "kind": "k", "message": "m"}
    more = {"try_number": 1, "retry_at": "2026-11-23T09:35:00Z"} if topic == "TryFailed" else {}
    event = EventMapper().decode(STREAM, 3, topic, orjson.dumps({**ENVELOPE, **ending, **more}))
    assert {each.name: getattr(event, each.name) for each in fields(Usage)} == asdict(UNKNOWN)
    assert set(asdict(UNKNOWN).values()) == {None}


def test_registering_a_class_puts_it_into_the_catalogue() -> None:
    assert stored(ScannerRenamed) is ScannerRenamed
    event = ScannerRenamed(
        originator_id=STREAM,
        originator_version=2,
        recorded_at=NOW,
        actor=Actor(type="system"),
        correlation_id=uuid4(),
        name="Ends",
    )
    assert event.event_id == f"{STREAM}:2"
    assert event.recorded_at == event.timestamp == NOW
