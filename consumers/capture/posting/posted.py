"""What a browser posted, as messages: recordings and analytics of posthog-js, recordings of plain rrweb (capture 2, 8).

Recordings and analytics events may come in one body and to any of posthog-js's paths: which is which is told by the
event, never by the path.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from consumers.capture.analytics import event as analytics
from consumers.capture.analytics.event import AnalyticsEvent, Frame, event_of
from consumers.capture.messages.snapshot import (
    MAX_DISTINCT_ID,
    MAX_LIBRARY,
    MAX_TOKEN,
    MAX_WINDOW_ID,
    TOPIC,
    Snapshot,
    clean,
    instant,
    legal_session_id,
    to_messages,
    uuid_of,
)
from consumers.capture.wire.encodings import MAX_INFLATED_BYTES, MAX_VALUES, Json, decode_body
from consumers.capture.wire.inflate import Room
from consumers.capture.wire.readable import readable
from consumers.capture.wire.refusals import CaptureRefused, Malformed, TooLarge, UnknownToken
from consumers.transports.port import Outgoing

MAX_EVENTS = 1_000
"""Events in one body. The SDK sends 1 to 3 snapshots in a body (capture 2), those of servers 100 events."""

SNAPSHOT = "$snapshot"

MAX_ITEMS = 100_000
"""rrweb events in one snapshot: the largest of the corpus has 100."""

POSTHOG_SESSION_ID = re.compile(r"[A-Za-z0-9-]{1,70}")
"""capture 5, step 1."""

TOPICS = (TOPIC, analytics.TOPIC)
"""Where what is posted goes: recordings, analytics."""

EnvironmentOf = Callable[[str], int | None]
"""The environment that a project token belongs to, or None."""


class Limits(NamedTuple):
    """What one body may be; what is more raises a CaptureRefused."""

    inflated_bytes: int
    values: int
    """Commas and opening brackets."""
    events: int
    room: Callable[[int], Room]
    """What its packed events may unpack to, by the bytes of the body as sent."""


LIMITS = Limits(MAX_INFLATED_BYTES, MAX_VALUES, MAX_EVENTS, Room.of_body)
"""Of every body."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What to publish before answering 200: `messages` of recordings and `analytics`, each to its topic.

    `snapshots` is how many batches were taken, `events` how many analytics events; `refused` says, in order, why single
    events of the body were not taken although others were. When only one topic took its part, answer 503: the same body
    comes again with the same uuids, and a repeat is harmless.
    """

    messages: tuple[Outgoing, ...]
    analytics: tuple[Outgoing, ...]
    snapshots: int
    refused: tuple[CaptureRefused, ...]

    @property
    def events(self) -> int:
        return len(self.analytics)

    @property
    def by_topic(self) -> Mapping[str, Sequence[Outgoing]]:
        """All that is to be published."""
        return {topic: each for topic, each in zip(TOPICS, (self.messages, self.analytics), strict=True) if each}


@dataclass(frozen=True, slots=True)
class Found:
    """The recorded batches and the analytics events of a body; `refused` as in Accepted."""

    snapshots: tuple[Snapshot, ...]
    events: tuple[AnalyticsEvent, ...]
    refused: tuple[CaptureRefused, ...]


def accept(
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    now: datetime,
    environment_of: EnvironmentOf,
    limits: Limits = LIMITS,
) -> Accepted:
    """Everything that `POST /s/`, `/e/` and their kind do before they publish.

    `body` is as sent, `headers` have lower-case names, `query` one value a name, `now` the server's clock with a zone.
    Answer 503 when publishing fails: the browser sends the same body again, with the same uuids.
    Raises a CaptureRefused (its `status` is the answer) only when nothing in the body can be taken.
    """
    document = _document(body, headers, query, limits)
    found = _posthog_events(document, query, now, environment_of, limits.room(len(body)), limits.events)
    return _published(found)


def accept_rrweb(
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    now: datetime,
    environment_of: EnvironmentOf,
    limits: Limits = LIMITS,
) -> Accepted:
    """The same for `POST /rrweb?token=...` (capture 2): `{session_id, window_id?, distinct_id?, source?, events}`.

    Events may be plain or made strings by `packFn`. A body may carry the token itself, as `token` or `api_key`.
    """
    document = _document(body, headers, query, limits)
    return _published(_rrweb_snapshots(document, query, now, environment_of, limits.room(len(body))))


def found_in(
    body: bytes, headers: Mapping[str, str], query: Mapping[str, str], now: datetime, environment_of: EnvironmentOf
) -> Found:
    """What either of the two would take, told by the body: for files, where no path says which it is.

    Raises a CaptureRefused only when the body as a whole cannot be read.
    """
    document = _document(body, headers, query)
    plain = isinstance(document, dict) and "events" in document and "session_id" in document
    return (_rrweb_snapshots if plain else _posthog_events)(document, query, now, environment_of, Room())


def _document(body: bytes, headers: Mapping[str, str], query: Mapping[str, str], limits: Limits = LIMITS) -> Json:
    kind, packing = headers.get("content-type", ""), query.get("compression", "")
    return decode_body(body, kind, packing, limits.inflated_bytes, limits.values)


def _published(found: Found) -> Accepted:
    messages: list[Outgoing] = []
    refused = [*found.refused]
    taken = 0
    for snapshot in found.snapshots:
        try:
            messages += to_messages(snapshot)
            taken += 1
        except CaptureRefused as refusal:
            refused.append(refusal)
    events = tuple(analytics.to_message(event) for event in found.events)
    if refused and not taken and not events:
        raise refused[0]
    return Accepted(tuple(messages), events, taken, tuple(refused))


def _posthog_events(
    document: Json,
    query: Mapping[str, str],
    now: datetime,
    environment_of: EnvironmentOf,
    room: Room,
    max_events: int = MAX_EVENTS,
) -> Found:
    snapshots: list[Snapshot] = []
    events: list[AnalyticsEvent] = []
    refused: list[CaptureRefused] = []
    for event in _listed(document, max_events):
        try:
            if not isinstance(event, dict):
                raise Malformed("An event is not an object.")
            token = _token(event, document, query)
            environment_id = _environment(token, environment_of)
            if event.get("event") == SNAPSHOT:
                snapshots.append(_posthog(event, token, environment_id, query, now, room))
            else:
                sent_at = _sent_at(event, document, query)
                events.append(event_of(event, Frame(token, environment_id, sent_at, now)))
        except CaptureRefused as refusal:
            refused.append(refusal)
    return Found(tuple(snapshots), tuple(events), tuple(refused))


def _rrweb_snapshots(
    document: Json, query: Mapping[str, str], now: datetime, environment_of: EnvironmentOf, room: Room
) -> Found:
    token = _token({}, document, query)
    try:
        snapshot = _rrweb(document, token, _environment(token, environment_of), now, room)
    except CaptureRefused as refusal:
        return Found((), (), (refusal,))
    return Found((snapshot,), (), ())


def _listed(document: Json, max_events: int) -> Iterator[Json]:
    """An array, one event, or `{api_key, batch: [...]}` (capture 2)."""
    if isinstance(document, dict):
        batch = document.get("batch")
        events = batch if isinstance(batch, list) else [document]
    elif isinstance(document, list):
        events = document
    else:
        raise Malformed("The body is neither an event nor a list of events.")
    if len(events) > max_events:
        raise TooLarge(f"A body may have {max_events} events.")
    yield from events


def _posthog(
    event: dict[str, Json], token: str, environment_id: int, query: Mapping[str, str], now: datetime, room: Room
) -> Snapshot:
    properties = event.get("properties")
    if not isinstance(properties, dict):
        raise Malformed("A snapshot has no properties.")
    session_id = legal_session_id(properties.get("$session_id"), POSTHOG_SESSION_ID)
    items = _items(properties.get("$snapshot_data"), room)
    distinct_id = properties.get("distinct_id") or event.get("distinct_id")
    return Snapshot(
        token=token,
        environment_id=environment_id,
        session_id=session_id,
        window_id=clean(properties.get("$window_id"), MAX_WINDOW_ID) or session_id,
        distinct_id=clean(distinct_id, MAX_DISTINCT_ID),
        uuid=uuid_of(event.get("uuid"), items, session_id),
        source=clean(properties.get("$snapshot_source"), MAX_LIBRARY) or "web",
        library=clean(properties.get("$lib"), MAX_LIBRARY),
        library_version=clean(properties.get("$lib_version") or query.get("ver"), MAX_LIBRARY),
        sent_at=instant(event.get("sent_at") or query.get("_")),
        received_at=now,
        items=items,
    )


def _rrweb(document: Json, token: str, environment_id: int, now: datetime, room: Room) -> Snapshot:
    if not isinstance(document, dict):
        raise Malformed("The body is not an object.")
    session_id = legal_session_id(document.get("session_id"))
    items = _items(document.get("events"), room)
    return Snapshot(
        token=token,
        environment_id=environment_id,
        session_id=session_id,
        window_id=clean(document.get("window_id"), MAX_WINDOW_ID) or session_id,
        distinct_id=clean(document.get("distinct_id"), MAX_DISTINCT_ID),
        uuid=uuid_of(document.get("uuid"), items, session_id),
        source="web",
        library=clean(document.get("source"), MAX_LIBRARY) or "rrweb",
        library_version=None,
        sent_at=instant(document.get("sent_at")),
        received_at=now,
        items=items,
    )


def _items(data: Json, room: Room) -> list[Json]:
    """Mobile SDKs may send one object where browsers send a list (capture 2).

    All that is packed as a whole is unpacked, also behind a readable event: the consumer will do so.
    """
    items: Json = [data] if isinstance(data, dict) else data
    if not isinstance(items, list) or not items:
        raise Malformed("A snapshot has no data.")
    if len(items) > MAX_ITEMS:
        raise TooLarge(f"A snapshot may have {MAX_ITEMS} events.")
    packed = [item for item in items if isinstance(item, str)]
    # What comes when the room is used up is not even looked at: the answer is known.
    found = sum(room.left > 0 and readable(item, room) is not None for item in packed)
    if packed and room.left <= 0:
        raise TooLarge("The packed events of a body are too large when unpacked.")
    if not found and not any(readable(item) for item in items if isinstance(item, dict)):
        raise Malformed("No item of the snapshot is an rrweb event with a time.")
    return items


def _token(event: dict[str, Json], document: Json, query: Mapping[str, str]) -> str:
    """Where SDKs of different ages put the project token, nearest to the event first (capture 8, step 2)."""
    properties = event.get("properties")
    nearest = properties.get("token") if isinstance(properties, dict) else None
    if isinstance(nearest, str) and nearest:  # nearly all
        return nearest[:MAX_TOKEN]
    places: list[Json] = [event.get("token"), event.get("api_key"), event.get("$token")]
    if isinstance(document, dict):
        places += [document.get("api_key"), document.get("token")]
    places += [query.get("token"), query.get("api_key")]
    for place in places:
        if isinstance(place, str) and place:
            return place[:MAX_TOKEN]
    return ""


def _sent_at(event: dict[str, Json], document: Json, query: Mapping[str, str]) -> datetime | None:
    """By the visitor's clock: of the event, of the body, or the query's `_` (capture 2)."""
    around = document.get("sent_at") if isinstance(document, dict) else None
    return instant(event.get("sent_at") or around or query.get("_"))


def _environment(token: str, environment_of: EnvironmentOf) -> int:
    """Raises UnknownToken."""
    found = environment_of(token)
    if found is None:
        raise UnknownToken("The project token is missing or belongs to no environment.")
    return found
