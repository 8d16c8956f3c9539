"""Where a report goes: the items of delivery_config (contract 8.1, extensions "Actions")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import JsonValue

from domain.errors import Invalid

MOST_TARGETS = 5
MOST_ADDRESSES = 20
URL_LENGTH = 2048
ADDRESS_LENGTH = 254
CHANNEL_LENGTH = 255

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"({_LABEL}\.)*[A-Za-z]([A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.?")
"""A host name; the last label does not begin with a digit, or it would be some spelling of an IPv4 address."""

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\\\x00-\x20\x7f-\xa0]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def check_webhook_url(url: str) -> None:
    """Raises Invalid unless it is an absolute http(s) address that every reader reads alike.

    Whether the host may be reached is asked when something is sent: names change what they stand for.
    """
    refusal = Invalid("url", "invalid_input", "Enter a valid URL.")
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise refusal
    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ("http", "https") and parts.port != 0 and not parts.netloc.endswith(":")
        reachable = reachable and _is_host(parts.hostname or "")
    except ValueError as error:
        raise refusal from error
    if not reachable or parts.username is not None or parts.password is not None:
        raise refusal


def _is_host(host: str) -> bool:
    if _NAME.fullmatch(host):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def check_address(address: str) -> None:
    """Raises Invalid unless it is one plain e-mail address.

    `=?` begins an encoded word (RFC 2047), in which a mail program could read a line break and headers after it.
    """
    if len(address) > ADDRESS_LENGTH or not _ADDRESS.fullmatch(address) or "=?" in address:
        raise Invalid("to", "invalid_input", "Enter a valid email address.")


def apart(items: Sequence[Mapping[str, JsonValue]]) -> list[dict[str, JsonValue]]:
    """The deliveries that delivery_config stands for: one an item, but one an address of an item for e-mail.

    What one mailbox answers concerns no other, and nobody is written to again because somebody else's server was busy.
    An address that stands in several items is written to once.
    """
    found: list[dict[str, JsonValue]] = []
    for item in items:
        addresses = item.get("to")
        if item.get("type") == "email" and isinstance(addresses, list):
            single: list[dict[str, JsonValue]] = [{"type": "email", "to": [address]} for address in addresses]
            found += [each for number, each in enumerate(single) if each not in found and each not in single[:number]]
        else:
            found.append(dict(item))
    return found


def target_of(item: Mapping[str, JsonValue]) -> str:
    """Where one delivery goes, in a line for people and as the endpoint's name: a URL, a channel, an address."""
    match item.get("type"):
        case "webhook":
            return str(item.get("url", ""))
        case "slack":
            return f"{item.get('integration_id')} {item.get('channel')}"
        case _:
            addresses = item.get("to")
            return ", ".join(str(address) for address in addresses) if isinstance(addresses, list) else ""
