"""One analytics event: as SDKs post it, as the topic `analytics` carries it, as the consumer reads it.

The message has the form of the reference pipeline's topic of events, so the consumer can also be pointed at such a
topic: `{uuid, distinct_id, ip, data, now, sent_at?, token, event, timestamp}`, where `data` is the event as JSON text.
Beyond it we write the header `environment_id`, as for recordings. The key is the session's id, or the visitor's when
the event names no session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid5

from consumers.capture.analytics.bounds import bounded, storable
from consumers.capture.analytics.elements import MAX_CHAIN, Element, elements_of
from consumers.capture.analytics.exceptions import EVENT as EXCEPTION
from consumers.capture.analytics.exceptions import with_exceptions
from consumers.capture.analytics.saying import Saying, saying_in
from consumers.capture.messages.snapshot import (
    MAX_DISTINCT_ID,
    MAX_MESSAGE_BYTES,
    MAX_TOKEN,
    MAX_WINDOW_ID,
    clean,
    environment_in,
    instant,
    legal_session_id,
)
from consumers.capture.wire.encodings import Json, dump, gunzip, parse
from consumers.capture.wire.readable import LAST_MOMENT_MS
from consumers.capture.wire.refusals import Malformed, Undecodable
from consumers.transports.port import Outgoing, Record
from domain.ids import NAMESPACE

TOPIC = "analytics"

MAX_EVENT_NAME = 200
MAX_ELEMENTS_BYTES = 32 * 1024
IDENTIFY = "$identify"

_GZIP_MAGIC = b"\x1f\x8b"
_TELLS = ("$set", "$set_once", "$unset")


@dataclass(frozen=True, slots=True)
class AnalyticsEvent:
    """One event, bounded.

    `at` is in milliseconds since 1970 by the visitor's clock. It is not corrected for that clock's error, although the
    reference product does so with the times of events: those of rrweb events are not corrected by anybody (capture 3),
    and what one browser says in both has to line up.

    `properties` are bounded (analytics.bounds); `chain` and `elements` are what autocapture said of the page, one of
    the two; `saying` is what the event says about its visitor.
    """

    token: str
    environment_id: int | None
    uuid: UUID
    name: str
    distinct_id: str | None
    session_id: str | None
    window_id: str | None
    at: int
    properties: Mapping[str, Json]
    chain: str | None
    elements: list[Element] | None
    saying: Saying
    sent_at: datetime | None
    received_at: datetime

    @property
    def key(self) -> str:
        return self.session_id or self.distinct_id or ""

    def moved(self, milliseconds: int) -> "AnalyticsEvent":
        """The same, so much later; for imports."""
        return replace(self, at=self.at + milliseconds)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around an event: whose it is, and when it was sent and received."""

    token: str
    environment_id: int | None
    sent_at: datetime | None
    received_at: datetime


def event_of(raw: Json, frame: Frame) -> AnalyticsEvent:
    """An event as an SDK posts it, or as `data` of a message holds it. Raises Malformed.

    It has a name, and names a session, a visitor or both. The legacy form of `/engage/`, which has no name and says
    something about a visitor, is an `$identify`, as in the reference product.
    """
    if not isinstance(raw, dict):
        raise Malformed("An event is not an object.")
    given = raw.get("properties")
    if given is not None and not isinstance(given, dict):
        raise Malformed("The properties of an event are no object.")
    told = {**(given or {}), **_at_the_top(raw, given or {})}
    name = clean(raw.get("event"), MAX_EVENT_NAME) or (IDENTIFY if any(key in told for key in _TELLS) else None)
    if name is None:
        raise Malformed("An event has no name.")
    session_id = told.get("$session_id")
    session_id = None if session_id in (None, "") else legal_session_id(session_id)
    distinct_id = _distinct_id(raw, told)
    if session_id is None and distinct_id is None:
        raise Malformed("An event names neither a session nor a visitor.")
    chain = told.get("$elements_chain")
    properties = bounded(with_exceptions(told) if name == EXCEPTION else told)
    saying = saying_in(name, distinct_id, told)
    found = AnalyticsEvent(
        token=frame.token,
        environment_id=frame.environment_id,
        uuid=NAMESPACE,
        name=name,
        distinct_id=distinct_id,
        session_id=session_id,
        window_id=clean(told.get("$window_id"), MAX_WINDOW_ID),
        at=_moment(raw, frame),
        properties=properties,
        chain=storable(chain, MAX_CHAIN) if isinstance(chain, str) and chain else None,
        elements=_few(elements_of(told.get("$elements"))),
        saying=saying,
        sent_at=frame.sent_at,
        received_at=frame.received_at,
    )
    return replace(found, uuid=_uuid(raw, found))


def to_message(event: AnalyticsEvent) -> Outgoing:
    """The message of an event. Never larger than half a megabyte: everything in it is bounded."""
    now = event.received_at.isoformat()
    outer: dict[str, Json] = {
        "uuid": str(event.uuid),
        "distinct_id": event.distinct_id or "",
        "ip": "",  # part of the form; an address is personal and nothing here needs it
        "data": dump(_data(event)).decode(),
        "now": now,
        "token": event.token,
        "event": event.name,
        "timestamp": _iso(event.at),
    }
    if event.sent_at is not None:
        outer["sent_at"] = event.sent_at.isoformat()
    # A visitor's id may be long and of any characters, an idempotency id may not.
    owner = event.session_id or sha256(event.key.encode()).hexdigest()
    return Outgoing(
        key=event.key.encode(),
        value=dump(outer),
        event_id=f"{event.environment_id}/{owner}/{event.uuid}",
        headers={name: text.encode() for name, text in _headers(event).items()},
    )


def from_message(record: Record) -> AnalyticsEvent:
    """The inverse of `to_message`, for messages of the reference pipeline too.

    `environment_id` is None when the header is missing: the token says whose it is. Raises Undecodable, Malformed or
    TooLarge.
    """
    value = record.value
    outer = parse(gunzip(value, MAX_MESSAGE_BYTES) if value.startswith(_GZIP_MAGIC) else value)
    if not isinstance(outer, dict):
        raise Undecodable("The message is not an object.")
    data = outer.get("data")
    raw = parse(data.encode("utf-8", "replace")) if isinstance(data, str) else data
    if not isinstance(raw, dict):
        raise Undecodable("The message holds no event.")
    frame = Frame(
        token=clean(outer.get("token"), MAX_TOKEN) or "",
        environment_id=environment_in(record.headers),
        sent_at=instant(outer.get("sent_at")),
        received_at=instant(outer.get("now")) or record.at,
    )
    around: dict[str, Json] = {name: outer[name] for name in ("uuid", "distinct_id") if outer.get(name)}
    return event_of({**around, **raw}, frame)


def _at_the_top(raw: Mapping[str, Json], given: Mapping[str, Json]) -> dict[str, Json]:
    """`$set` and its kind may stand beside the properties too; there they count more."""
    found: dict[str, Json] = {}
    for name in _TELLS:
        top, inner = raw.get(name), given.get(name)
        if isinstance(top, dict) and top:
            found[name] = {**(inner if isinstance(inner, dict) else {}), **top}
        elif isinstance(top, list) and top:
            found[name] = [*(inner if isinstance(inner, list) else []), *top]
    return found


def _distinct_id(raw: Mapping[str, Json], told: Mapping[str, Json]) -> str | None:
    for place in (told.get("distinct_id"), raw.get("distinct_id"), told.get("$distinct_id"), raw.get("$distinct_id")):
        if (found := clean(place, MAX_DISTINCT_ID)) is not None:
            return found
    return None


def _moment(raw: Mapping[str, Json], frame: Frame) -> int:
    """`timestamp`; or `offset`, milliseconds before it was sent; or when it was sent; or when it was received."""
    given = instant(raw.get("timestamp"))
    if given is not None and _is_legal(moment := _ms(given)):
        return moment
    sent = _ms(frame.sent_at or frame.received_at)
    offset = raw.get("offset")
    if isinstance(offset, int | float) and not isinstance(offset, bool) and 0 <= offset <= sent:
        return max(1, sent - int(offset))
    return sent if _is_legal(sent) else _ms(frame.received_at)


def _is_legal(moment: int) -> bool:
    return 1 <= moment <= LAST_MOMENT_MS


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")


def _few(elements: list[Element] | None) -> list[Element] | None:
    while elements and len(dump([*elements])) > MAX_ELEMENTS_BYTES:
        elements = elements[: len(elements) // 2]
    return elements or None


def _uuid(raw: Mapping[str, Json], event: AnalyticsEvent) -> UUID:
    """The event's own; made of another text or of the content when there is none, so that a repeat has the same.

    Of the times only `timestamp` counts: the others change with each try.
    """
    given = raw.get("uuid")
    if isinstance(given, str) and given:
        try:
            return UUID(given)
        except ValueError:
            return uuid5(NAMESPACE, f"event/{event.key}/{given[:MAX_TOKEN]}")
    said: dict[str, Json] = {"set": {**event.saying.set}, "once": {**event.saying.once}, "unset": [*event.saying.unset]}
    what: list[Json] = [event.name, event.distinct_id, event.session_id, {**event.properties}, event.chain, said]
    stated = raw.get("timestamp")
    what.append(stated if isinstance(stated, str | int | float) else None)
    return uuid5(NAMESPACE, f"event/{sha256(dump(what)).hexdigest()}")


def _data(event: AnalyticsEvent) -> dict[str, Json]:
    properties: dict[str, Json] = {**event.properties, **event.saying.as_properties(event.name)}
    properties["distinct_id"] = event.distinct_id
    if event.session_id is not None:
        properties["$session_id"] = event.session_id
    if event.window_id is not None:
        properties["$window_id"] = event.window_id
    if event.chain is not None:
        properties["$elements_chain"] = event.chain
    if event.elements is not None:
        properties["$elements"] = [*event.elements]
    return {
        "uuid": str(event.uuid),
        "event": event.name,
        "distinct_id": event.distinct_id,
        "timestamp": _iso(event.at),
        "properties": properties,
    }


def _headers(event: AnalyticsEvent) -> dict[str, str]:
    headers = {
        "token": event.token,
        "distinct_id": event.distinct_id or "",
        "timestamp": str(event.at),
        "event": event.name,
        "uuid": str(event.uuid),
        "now": event.received_at.isoformat(),
    }
    if event.session_id is not None:
        headers["session_id"] = event.session_id
    if event.environment_id is not None:
        headers["environment_id"] = str(event.environment_id)
    return headers
