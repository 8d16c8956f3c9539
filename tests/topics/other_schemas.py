"""JSON schemas of the topics `ticks`, `snapshots`, `analytics` and `signals`. No class has their form: it is here."""

from __future__ import annotations

from typing import Any, get_args

from api.roles import ticks
from consumers.capture.analytics.bounds import MAX_PROPERTIES
from consumers.capture.analytics.event import MAX_EVENT_NAME
from consumers.capture.messages.snapshot import (
    EVENT,
    LEFT_OUT,
    MAX_DISTINCT_ID,
    MAX_LEFT_OUT,
    MAX_LIBRARY,
    MAX_TOKEN,
    MAX_WINDOW_ID,
    SESSION_ID,
)
from consumers.signals import WEIGHT
from domain.scanner_types import SCANNER_TYPES, ProblemType
from domain.scanner_types.findings import FLOOR
from tests.topics.event_schemas import DIALECT, Schema

TICKS = tuple(ticks(settle_seconds=1, sweep_seconds=1))
"""The names of the ticks there are; their lengths are settings."""


def tick_schema() -> Schema:
    """The value of a record of `ticks`. The name is open: readers meet the ticks of later releases."""
    properties: dict[str, Any] = {
        "tick": {
            "type": "string",
            "minLength": 1,
            "description": f"Which tick: {', '.join(f'`{name}`' for name in TICKS)}. Others may come. Also the key.",
        },
        "at": _time("When it was made, by the scheduler's clock."),
    }
    return {
        "$schema": DIALECT,
        "title": "A tick",
        "description": "The value of a record of the topic `ticks`: the time has come to look for work that is due.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def snapshot_schema() -> Schema:
    """The value of a record of `snapshots`, unzipped, and under `$defs` what its text `data` holds."""
    properties: dict[str, Any] = {
        "uuid": _uuid("The batch's id, from the browser or made of the content. Also the header `uuid`."),
        "distinct_id": _text("Who was recorded, in the site's words; empty when unknown.", MAX_DISTINCT_ID),
        "ip": {"type": "string", "description": "Part of the form; always empty, because addresses are not kept."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/$defs/data"},
            "description": "A JSON text, to be parsed on its own. Most validators do not look into it by themselves.",
        },
        "now": _time("When the server received the batch."),
        "token": _text("The project token that it was sent with.", MAX_TOKEN),
        "event": {"const": EVENT, "description": "Which form this is."},
        "timestamp": _time("The same as `now`."),
    }
    required = list(properties)
    properties["sent_at"] = _time("When the browser sent it, by the visitor's clock. Left out when unknown.")
    return {
        "$schema": DIALECT,
        "title": "A batch of recorded browser events",
        "description": "The value of a record of the topic `snapshots`, after gunzip where it begins with 1f 8b.",
        "type": "object",
        "properties": properties,
        "required": required,
        "$defs": {"data": _data()},
    }


def analytics_schema() -> Schema:
    """The value of a record of `analytics`, and under `$defs` what its text `data` holds."""
    properties: dict[str, Any] = {
        "uuid": _uuid("The event's id, from the SDK or made of the content. Also the header `uuid`."),
        "distinct_id": _text("The visitor, in the site's words; empty when the event names none.", MAX_DISTINCT_ID),
        "ip": {"type": "string", "description": "Part of the form; always empty, because addresses are not kept."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/$defs/data"},
            "description": "A JSON text, to be parsed on its own. Most validators do not look into it by themselves.",
        },
        "now": _time("When the server received the event."),
        "token": _text("The project token that it was sent with.", MAX_TOKEN),
        "event": {"type": "string", "minLength": 1, "maxLength": MAX_EVENT_NAME, "description": "The event's name."},
        "timestamp": _time("When it happened, by the visitor's clock."),
    }
    required = list(properties)
    properties["sent_at"] = _time("When the browser sent it, by the visitor's clock. Left out when unknown.")
    return {
        "$schema": DIALECT,
        "title": "An analytics event",
        "description": "The value of a record of the topic `analytics`.",
        "type": "object",
        "properties": properties,
        "required": required,
        "$defs": {"data": _event()},
    }


def signal_schema() -> Schema:
    """The value of a record of `signals`."""
    properties: dict[str, Any] = {
        "source_product": {"const": "replay_vision", "description": "Who found it."},
        "source_type": {"const": "scanner_finding", "description": "What it is."},
        "source_id": {
            "type": "string",
            "pattern": "^observation:[0-9a-f-]{36}:[0-9]+$",
            "description": "Unique and stable: the observation and the finding's place in it. Also `event_id`.",
        },
        "environment_id": {"type": "integer", "description": "Whose it is. Also the header `environment_id`."},
        "at": _time("When the observation was made."),
        "weight": {"const": WEIGHT, "description": "Of one finding; two that agree have 1.0 together."},
        "headline": {"type": "string", "minLength": 1, "description": "The finding in at most eight words."},
        "description": {"type": "string", "minLength": 1, "description": "The finding in some sentences."},
        "extra": _extra(),
    }
    return {
        "$schema": DIALECT,
        "title": "A problem that a scanner found",
        "description": "The value of a record of the topic `signals`.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _extra() -> Schema:
    seconds = {"type": "number", "minimum": 0}
    properties: dict[str, Any] = {
        "scanner_id": _uuid("The scanner."),
        "scanner_name": {"type": "string", "description": "Its name when it was asked."},
        "scanner_type": {"enum": list(SCANNER_TYPES), "description": "Its type."},
        "observation_id": _uuid("The observation, to be looked up in the API."),
        "session_id": {"type": "string", "description": "The recorded session. Also the key."},
        "distinct_id": {"type": ["string", "null"], "description": "Who was recorded; null when unknown or erased."},
        "problem_type": {"enum": list(get_args(ProblemType)), "description": "Also the header `problem_type`."},
        "confidence": {"type": "number", "minimum": FLOOR, "maximum": 1, "description": "The model's own."},
        "start_time": {**seconds, "description": "Seconds into the recording at which it begins."},
        "end_time": {**seconds, "description": "Seconds into the recording at which it ends."},
        "start_url": {"type": ["string", "null"], "description": "The session's first page; null when unknown."},
        "recording_start": _or_null(_time("The recording's first moment; null when it is gone.")),
        "recording_end": _or_null(_time("The recording's last moment; null when it is gone.")),
        "recording_duration": _or_null({**seconds, "description": "Seconds; null when the recording is gone."}),
        "active_seconds": _or_null({**seconds, "description": "Of activity; null when the recording is gone."}),
    }
    return {
        "description": "What it was found in.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _event() -> Schema:
    properties: dict[str, Any] = {
        "uuid": _uuid("As outside."),
        "event": {"type": "string", "minLength": 1, "maxLength": MAX_EVENT_NAME, "description": "As outside."},
        "distinct_id": {
            "type": ["string", "null"],
            "maxLength": MAX_DISTINCT_ID,
            "description": "As outside; null when the event names none.",
        },
        "timestamp": _time("As outside."),
        "properties": {
            "type": "object",
            "maxProperties": MAX_PROPERTIES + 20,
            "description": "As sent, with limits; `$session_id` is there when the event names a session.",
        },
    }
    return {
        "description": "What the text `data` holds.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _data() -> Schema:
    properties = _properties()
    return {
        "description": "What the text `data` holds.",
        "type": "object",
        "properties": {
            "event": {"const": EVENT},
            "properties": {
                "type": "object",
                "properties": properties,
                "required": [name for name in properties if name != LEFT_OUT],
            },
        },
        "required": ["event", "properties"],
    }


def _properties() -> Schema:
    session_id = {"type": "string", "pattern": f"^(?:{SESSION_ID.pattern})$"}
    items = (
        "In the order sent: rrweb events, whose fields may be packed (`cv` says how), or texts made by rrweb's packFn. "
        "One at least is an event with a time. Items that are no events may stand between them, as browsers sent them."
    )
    left_out = "How many items that are no events did not fit into the message. Left out when there are none."
    return {
        "distinct_id": _text("As outside.", MAX_DISTINCT_ID),
        "$session_id": {**session_id, "description": "The recorded session. Also the key and the header `session_id`."},
        "$window_id": _text("The browser window or tab; the session's id when unknown.", MAX_WINDOW_ID),
        "$snapshot_source": _text("`web`, or the platform that a mobile SDK names.", MAX_LIBRARY),
        "$lib": _text_or_null("The SDK."),
        "$lib_version": _text_or_null("The SDK's version."),
        LEFT_OUT: {"type": "integer", "minimum": 1, "maximum": MAX_LEFT_OUT, "description": left_out},
        "$snapshot_items": {
            "type": "array",
            "minItems": 1,
            "contains": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"timestamp": {"type": "number", "minimum": 1}},
                        "required": ["timestamp"],
                    },
                    {"type": "string"},
                ]
            },
            "description": items,
        },
    }


def _text(description: str, longest: int) -> Schema:
    return {"type": "string", "maxLength": longest, "description": description}


def _text_or_null(description: str) -> Schema:
    return {"type": ["string", "null"], "maxLength": MAX_LIBRARY, "description": f"{description} Null when unknown."}


def _time(description: str) -> Schema:
    return {"type": "string", "format": "date-time", "description": f"{description} ISO 8601 with a zone."}


def _uuid(description: str) -> Schema:
    return {"type": "string", "format": "uuid", "description": description}
