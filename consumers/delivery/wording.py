"""What a message is called, and where its run can be read: the same in every channel."""

from __future__ import annotations

from urllib.parse import urlsplit

from consumers.delivery.port import Message
from domain.plain_text import one_line

NAME_LENGTH = 120


def title_of(message: Message) -> str:
    """One line of plain text, such as `Morning digest: Checkout`. Names are strangers' text: escape it."""
    action, scanner = (_named(message, name) for name in ("action_name", "scanner_name"))
    named = ": ".join(name for name in (action, scanner) if name) or "Report"
    match message.kind:
        case "replay_vision.alert_fired":
            return f"Alert: {named}"
        case "replay_vision.alert_resolved":
            return f"Resolved: {named}"
        case _:
            return named


def url_of(message: Message) -> str | None:
    """The address at which the run can be read, which we have made ourselves."""
    url = message.data.get("run_url")
    return url if isinstance(url, str) and url else None


def hosts_of(message: Message) -> list[str]:
    """The hosts that links of the report may lead to: our own."""
    host = urlsplit(url_of(message) or "").hostname
    return [host] if host else []


def _named(message: Message, name: str) -> str:
    found = one_line(str(message.data.get(name) or ""))
    return found if len(found) <= NAME_LENGTH else f"{found[: NAME_LENGTH - 1]}…"
