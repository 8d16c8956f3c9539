"""What is known of a session as a whole, and how it is read from a row `s` of capture.session.

Keys are those of filters of type `recording` and `session` (contract 3.3). Values are those of the session read API:
seconds exact to the millisecond, and the score of engine 3.2. The entry address is the recording's first one, else that
of the site's own first event; the exit address is that of the last event, else the last one that the recording lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "text", "time", "texts", "json"]


@dataclass(frozen=True, slots=True)
class Known:
    """`sql`: an expression; milliseconds since 1970 for a time. A `texts` is a list, of which one is enough.

    `json`: what a page sent, of any type.
    """

    kind: Kind
    sql: str


_ACTIVE = "s.active_milliseconds::numeric / 1000"
_DURATION = "(s.last_timestamp - s.first_timestamp)::numeric / 1000"
_EVENTS = (
    "FROM capture.analytics_event e WHERE e.environment_id = %(match_environment)s AND e.session_id = s.session_id"
)
_FIRST = "ORDER BY e.at, e.uuid LIMIT 1"
_LAST = "ORDER BY e.at DESC, e.uuid DESC LIMIT 1"
_ENTRY = f"coalesce(s.start_url, (SELECT e.current_url {_EVENTS} AND e.current_url IS NOT NULL {_FIRST}))"
_EXIT = f"coalesce((SELECT e.current_url {_EVENTS} AND e.current_url IS NOT NULL {_LAST}), s.urls[cardinality(s.urls)])"
_DONE = f"({_ACTIVE} + s.click_count + s.keypress_count + s.console_error_count)"
_OVER = f"(s.mouse_activity_count + {_DURATION} + s.console_error_count + s.console_log_count + s.console_warn_count)"


def _path(url: str) -> str:
    return f"substring({url} FROM '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]*)')"


def _host(url: str) -> str:
    return f"substring({url} FROM '^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)')"


def _count(event: str) -> Known:
    return Known("number", f"(SELECT count(*) {_EVENTS} AND e.name = '{event}')::numeric")


def _begun_with(key: str) -> Known:
    return Known("json", f"(SELECT e.properties -> '{key}' {_EVENTS} {_FIRST})")


RECORDING = {
    "duration": Known("number", _DURATION),
    "recording_duration": Known("number", _DURATION),
    "active_seconds": Known("number", _ACTIVE),
    "inactive_seconds": Known(
        "number", "greatest(0, s.last_timestamp - s.first_timestamp - s.active_milliseconds)::numeric / 1000"
    ),
    "click_count": Known("number", "s.click_count::numeric"),
    "keypress_count": Known("number", "s.keypress_count::numeric"),
    "mouse_activity_count": Known("number", "s.mouse_activity_count::numeric"),
    "console_log_count": Known("number", "s.console_log_count::numeric"),
    "console_warn_count": Known("number", "s.console_warn_count::numeric"),
    "console_error_count": Known("number", "s.console_error_count::numeric"),
    "event_count": Known("number", "s.event_count::numeric"),
    "size": Known("number", "s.size::numeric"),
    "activity_score": Known("number", f"CASE {_OVER} WHEN 0 THEN 0 ELSE round(100 * {_DONE} / {_OVER}, 2) END"),
    "snapshot_source": Known("text", "s.snapshot_source"),
    "snapshot_library": Known("text", "s.snapshot_library"),
    "distinct_id": Known("text", "s.distinct_id"),
    "start_url": Known("text", "s.start_url"),
    "visited_page": Known("texts", "s.urls"),
    "start_time": Known("time", "s.first_timestamp"),
    "end_time": Known("time", "s.last_timestamp"),
}

SESSION = {
    "$session_duration": Known("number", _DURATION),
    "$start_timestamp": Known("time", "s.first_timestamp"),
    "$end_timestamp": Known("time", "s.last_timestamp"),
    "$entry_current_url": Known("text", _ENTRY),
    "$entry_pathname": Known("text", _path(_ENTRY)),
    "$entry_hostname": Known("text", _host(_ENTRY)),
    "$exit_current_url": Known("text", _EXIT),
    "$exit_pathname": Known("text", _path(_EXIT)),
    "$exit_hostname": Known("text", _host(_EXIT)),
    "$end_current_url": Known("text", _EXIT),
    "$end_pathname": Known("text", _path(_EXIT)),
    "$end_hostname": Known("text", _host(_EXIT)),
    "$pageview_count": _count("$pageview"),
    "$autocapture_count": _count("$autocapture"),
    "$screen_count": _count("$screen"),
    "$entry_referring_domain": _begun_with("$referring_domain"),
    "$entry_utm_source": _begun_with("utm_source"),
    "$entry_utm_medium": _begun_with("utm_medium"),
    "$entry_utm_campaign": _begun_with("utm_campaign"),
    "$entry_utm_term": _begun_with("utm_term"),
    "$entry_utm_content": _begun_with("utm_content"),
}

FACTS = {**RECORDING, **SESSION}
