"""Makes requests that fit their schema good where a schema cannot say how, so that they reach what is behind it.

Only requests that are meant to be taken; what is changed keeps fitting the schema. What is drawn from a list is drawn
by the generated value, so that a seed gives the same requests again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4
from zlib import crc32

NAMING = ("/scanners/", "/scanners/{id}/", "/actions/", "/actions/{id}/")
"""Ends of the addresses that take a name, which must be unique in a project (contract 3.4, 8.1)."""

NAME_LENGTH = 255
ADDRESS = re.compile(r"[A-Za-z0-9.+_-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
KNOWN_PORTS = (None, 80, 443, 8443)
VISIBLE = re.compile(r"[!-\[\]-~]+")

RULES = (
    "FREQ=DAILY",
    "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=8;BYMINUTE=0;BYSECOND=0",
    "freq=monthly;bymonthday=-1;interval=2",
    "FREQ=YEARLY;COUNT=3",
    "FREQ=HOURLY;UNTIL=20200101T000000Z",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;WKST=SU",
)
ZONES = ("UTC", "Europe/Prague", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia")

Item = TypeVar("Item")


@dataclass(frozen=True)
class Kept:
    """Objects that are on the server from the start (tests.fuzz.furnishing) and stay there."""

    scanners: tuple[str, ...]
    integrations: tuple[int, ...]
    gap_scanner: str
    gap: str
    judged: str
    """An observation of the same scanner that rests on evidence."""
    action: str
    run: str
    delivery: str
    """An action of that scanner with a report, whose delivery ends at once."""
    sessions: tuple[str, ...]
    doomed: tuple[str, ...]
    """Recorded sessions that stay, and such that may be deleted, each once."""


def repair(method: str, path: str, body: Any, kept: Kept) -> None:
    """Changes the body of a request in place."""
    if not isinstance(body, dict):
        return
    if path.endswith(NAMING) and isinstance(body.get("name"), str):
        body["name"] = _only(body["name"])
    config = body.get("scanner_config")
    if isinstance(config, dict) and isinstance(config.get("scale"), dict):
        _turn(config["scale"])
    for name in ("scanner", "scanner_id"):
        if isinstance(body.get(name), str):
            body[name] = _drawn(kept.scanners, body[name])
    if "/actions/" in path:
        _schedule(body.get("trigger_config"))
        _watch(method, body)
        for target in body.get("delivery_config", ()):
            _deliver(target, kept)


def repair_place(method: str, path: str, parameters: dict[str, Any], kept: Kept) -> None:
    """Changes the ids in the address of a request in place: only one scanner surely has a gap and an observation.

    Sessions cannot be made by a request of the API at all.
    """
    if "/session_recordings/{id}" in path:
        parameters["id"] = _drawn(kept.doomed if method == "DELETE" else kept.sessions, str(parameters["id"]))
    elif "/actions/{action_id}/runs/" in path:
        known = {"action_id": kept.action, "run_id": kept.run}
        known["id"] = kept.delivery if path.endswith("/redeliver/") else kept.run
        parameters.update({name: known[name] for name in parameters if name in known})
    elif path.endswith("/actions/{id}/run/"):
        parameters["id"] = kept.action
    elif path.endswith("/redrive/"):
        parameters.update(scanner_id=kept.gap_scanner, id=kept.gap)
    elif path.endswith("/evidence/"):
        parameters.update(scanner_id=kept.gap_scanner, id=kept.judged)
    elif path.endswith(("/gaps/", "/{scanner_id}/observations/")):
        parameters["scanner_id"] = kept.gap_scanner


def spare(method: str, parameters: dict[str, Any], kept: Kept) -> None:
    """What is to stay is not deleted: another id, which nothing has, takes its place."""
    if method == "DELETE" and str(parameters.get("id")).lower() in {*kept.scanners, *kept.sessions, kept.action}:
        parameters["id"] = str(uuid4())


def _only(name: str) -> str:
    """A name that nothing else has, as long as before or up to 33 characters longer."""
    mark = uuid4().hex
    return name[: NAME_LENGTH - len(mark)] + mark


def _turn(scale: dict[str, Any]) -> None:
    """Min below max (contract 3.2)."""
    low, high = scale.get("min"), scale.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low >= high:
        scale["min"], scale["max"] = (high, low) if low > high else (low, low + max(1, abs(low)))


def _schedule(trigger: Any) -> None:
    """A rule of iCalendar and a zone of IANA (contract 8.1)."""
    for name, choices in (("rrule", RULES), ("timezone", ZONES)):
        if isinstance(trigger, dict) and isinstance(trigger.get(name), str):
            trigger[name] = _drawn(choices, trigger[name])


def _watch(method: str, action: dict[str, Any]) -> None:
    """An alert has a config, whose metric any scanner answers for (extensions "Mode alert").

    The other metrics are for scanners of one type. Which scanner an edited action has is not in the request, nor
    whether it is an alert; a new one that is none may have any.
    """
    config, alert = action.get("alert_config"), action.get("mode") == "alert"
    if config and (alert or method == "PATCH"):
        action["alert_config"] = {**config, "metric": "count", "threshold": abs(config["threshold"])}
    elif not config and (alert or (method == "PATCH" and "alert_config" in action)):
        action["alert_config"] = {"metric": "count", "threshold": 1}


def _deliver(target: dict[str, Any], kept: Kept) -> None:
    """An integration of this project, an address with a host and without a user, plain e-mail addresses."""
    match target["type"]:
        case "slack":
            target["integration_id"] = _drawn(kept.integrations, str(target["integration_id"]))
        case "webhook" if not _reachable(target["url"]):
            target["url"] = "https://hooks.shop.example/replay-vision"
        case "email":
            target["to"] = [to if ADDRESS.fullmatch(to) else f"{uuid4().hex}@shop.example" for to in target["to"]]
        case _:
            pass


def _reachable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = parts.hostname and parts.username is None and parts.password is None
        # Without an allow-list (operator interface): TLS, known ports, and no address inside.
        public = parts.scheme == "https" and parts.port in KNOWN_PORTS and parts.hostname not in (None, "localhost")
        public = public and not re.fullmatch(r"[0-9.]+|.*:.*", parts.hostname or "")
    except ValueError:
        return False
    return bool(plain and public and VISIBLE.fullmatch(url))


def _drawn(choices: Sequence[Item], value: str) -> Item:
    return choices[crc32(value.encode("utf-8", "surrogatepass")) % len(choices)]
