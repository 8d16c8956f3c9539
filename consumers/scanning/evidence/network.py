"""Requests as the recorder's network plugin reports them, in its new and its old form (capture 4)."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from consumers.scanning.evidence.happenings import Request
from consumers.scanning.evidence.masking import clean_url

MAX_REQUESTS: Final = 5_000
MAX_FAILED: Final = 5_000
"""Requests kept of one session; beyond MAX_REQUESTS so many failed ones."""
FAILED_STATUS: Final = 400
"""HTTP statuses from here on are failures (engine 4.1, get_network_around)."""
LARGEST: Final = 10**13
"""Above any time in ms; larger numbers are no times."""
PLUGINS: Final = ("rrweb/network@1", "posthog/network@1")

_OWN: Final = re.compile(
    r"/(?:s|e|i/v0/e|flags|decide)/?$|/array/[^/]+/config(?:\.js)?$|/static/[^?]*recorder[^/]*\.js$"
)
"""The recorder's own traffic (capture 1): it says nothing about the page."""
_OLD_KEYS: Final = {"0": "entryType", "2": "name", "18": "initiatorType", "21": "status", "39": "duration"}
_KINDS: Final = ("navigation", "resource")


def requests(payload: object, at: int, window: int, started_at_ms: int) -> Iterator[Request]:
    """The requests of one plugin payload that tell something; ``at`` is the event's offset.

    Files that came without failing are left out, and what cannot be read.
    """
    if not isinstance(payload, dict):
        return
    entries = payload.get("requests")
    for entry in entries if isinstance(entries, list) else [payload]:
        if isinstance(entry, dict):
            request = _request(_renamed(entry), at, window, started_at_ms)
            if request is not None:
                yield request


def _renamed(entry: dict[str, Any]) -> dict[str, Any]:
    if "2" not in entry:
        return entry
    return {_OLD_KEYS[key]: value for key, value in entry.items() if key in _OLD_KEYS}


def _request(entry: dict[str, Any], at: int, window: int, started_at_ms: int) -> Request | None:
    kind = entry.get("entryType", "resource")
    if kind not in _KINDS:
        return None
    initiator = entry.get("initiatorType")
    wrapped = "method" in entry or initiator in ("fetch", "xmlhttprequest")
    status = _int(entry.get("status"))
    if status is None:
        status = _int(entry.get("responseStatus"))
    failed = _failed(entry, status, kind)
    if kind == "resource" and not wrapped and not failed:
        return None  # an image, script or style that came: most of what a page loads
    url = clean_url(entry.get("name") or entry.get("url"))
    if not url or _own(url):
        return None
    duration = max(0, _int(entry.get("duration")) or 0)
    if kind == "navigation":
        duration = _int(entry.get("responseEnd")) or duration
    start = _start(entry, at, duration, started_at_ms)
    return Request(
        t=start,
        end=max(start, start + duration) if duration else max(start, at) if kind == "resource" and wrapped else start,
        window=window,
        method=_method(entry, kind),
        url=url,
        status=status or None,
        kind="page" if kind == "navigation" else "call" if wrapped else "file",
        failed=failed,
    )


@lru_cache(maxsize=1_024)
def _own(url: str) -> bool:
    return bool(_OWN.search(url))


def _failed(entry: dict[str, Any], status: int | None, kind: str) -> bool:
    """By status 400 and up; without any status only where the recorder wrapped the call, so that it would know one."""
    if status:
        return status >= FAILED_STATUS
    return kind == "resource" and isinstance(entry.get("method"), str) and not _int(entry.get("responseStatus"))


def _start(entry: dict[str, Any], at: int, duration: int, started_at_ms: int) -> int:
    """The entry's own clock time where it is plausible; else the event's time less the duration."""
    stamp = _int(entry.get("timestamp"))
    if stamp is not None and started_at_ms - 60_000 <= stamp <= started_at_ms + at + 1_000:
        return max(0, stamp - started_at_ms)
    return max(0, at - duration)


def _method(entry: dict[str, Any], kind: object) -> str:
    method = entry.get("method")
    return (
        method[:10].upper() if isinstance(method, str) and method.isalpha() else "GET" if kind == "navigation" else ""
    )


def _int(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        return None
    return int(value)
