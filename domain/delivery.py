"""Where a report goes: the items of delivery_config (contract 8.1, extensions "Actions")."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

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
_ADDRESS = re.compile(r"[^\s@,;<>\"\\]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


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
    """Raises Invalid unless it is one plain e-mail address."""
    if len(address) > ADDRESS_LENGTH or not _ADDRESS.fullmatch(address):
        raise Invalid("to", "invalid_input", "Enter a valid email address.")
