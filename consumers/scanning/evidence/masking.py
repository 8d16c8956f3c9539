"""Making page text safe to hand on: normalised, one line, without personal data (architecture 10, anchors D.4, D.5)."""

import re
from typing import Final
from urllib.parse import urlsplit

from consumers.scanning.evidence.plain_text import plain

MAX_URL_CHARS: Final = 200
"""Length of a URL in the navigation timeline (engine 4.1)."""

CARD_DIGITS: Final = 13
PHONE_DIGITS: Final = range(8, 16)
"""E.164 allows 15 digits; shorter numbers than 8 digits are prices, dates and order numbers more often than phones."""
BARE_PHONE_DIGITS: Final = 10
"""Digits a number needs to pass as a phone number without +, ( or 0 in front."""

_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_DIGITS = re.compile(r"(?<![\w.#/-])\+?\(?\d[\d ()./-]{6,24}\d(?!\w)")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_TOKEN = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?|\b(?:sk|pk|ghp|gho|xox[abp]|phc|phx|AKIA|Bearer)[-_ ][\w.-]{8,}"
    r"|\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9_-]{24,}\b"
)
_QUERY = re.compile(r"(https?://[^\s\"'?#]+)[?#][^\s\"']*")
_USERINFO = re.compile(r"(https?://)[^/\s@]+@")
_NAME = re.compile(r"\b[A-Z][\w'-]+(?: [A-Z]\.?)?(?: (?:de|van|von|der|la|al|bin))*(?: [A-Z][\w'-]+){1,2}\b")
_LABELLED_NAME = re.compile(
    r"\b((?:contact|name|customer|recipient|attention|attn|card ?holder|bill(?:ed)? to|ship(?:ped)? to|signed in as|"
    r"logged in as|hello|hi|dear)\b[:,]?\s+)([A-Z][\w'-]+(?: [A-Z][\w'-]+){0,2})",
    re.IGNORECASE,
)
_BESIDE_EMAIL = re.compile(
    r"\b(?!(?:E-?mail|Mail|Contact|Support|Address|From|To|At|Us|Help|Write)\b)[A-Z][\w'-]+(?=[ ,:<(-]+\[email\])"
)
_SUSPECT = re.compile(r"[@:?]|\d(?:.{0,3}\d){5}|[\w-]{24}|eyJ|AKIA|Bearer|(?:sk|pk|gh[po]|xox[abp]|ph[cx])[-_]")
"""Text without any of this holds nothing to mask, which is most text."""
MASKED: Final = re.compile(r"\[(?:email|phone|card)\]")


def mask(text: str) -> str:
    """Replace personal data: e-mail, cards (Luhn), phone numbers, tokens, query strings, and names beside them."""
    if not _SUSPECT.search(text):
        return text
    masked = _USERINFO.sub(r"\1", _QUERY.sub(r"\1", text))
    masked = _EMAIL.sub("[email]", masked)
    masked = _CARD.sub(lambda m: "[card]" if luhn(m.group()) else m.group(), masked)
    masked = _TOKEN.sub("[token]", masked)
    masked = _DIGITS.sub(lambda m: "[phone]" if _is_phone(m.group()) else m.group(), masked)
    if "[email]" in masked or "[phone]" in masked or "[card]" in masked:
        masked = _BESIDE_EMAIL.sub("[name]", _NAME.sub("[name]", masked))
    return _LABELLED_NAME.sub(_labelled, masked) if ":" in masked else masked


def looks_like_name(text: str) -> bool:
    """Two or three capitalised words and nothing else."""
    return bool(_NAME.fullmatch(text))


def luhn(digits: str) -> bool:
    """Whether the digits in ``digits`` pass the card number check."""
    total = 0
    numbers = [int(c) for c in digits if c.isdigit()]
    for place, number in enumerate(reversed(numbers)):
        doubled = number * 2 if place % 2 else number
        total += sum(divmod(doubled, 10))
    return len(numbers) >= CARD_DIGITS and total % 10 == 0


def clean(text: str, limit: int) -> str:
    """Page text for the read-out: normalised, masked, then cut to ``limit`` characters."""
    safe = mask(plain(text[: limit * 8]))
    return safe if len(safe) <= limit else safe[: limit - 1].rstrip() + "…"


def quoted(text: str) -> str:
    """``text`` in double quotes, with backslash and quote escaped, so that page text cannot end its own quotation."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def clean_url(url: object) -> str:
    """A URL without userinfo, query and fragment, at most 200 characters; empty where it is not http(s) or a path.

    A fragment that is a route (``#/settings``) stays, without its own query.
    """
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(plain(url[:4096]))
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "") or (parts.scheme and not parts.hostname):
        return ""
    route = "#" + parts.fragment.split("?")[0] if parts.fragment.startswith(("/", "!/")) else ""
    host = f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme else ""
    path = mask(parts.path.replace("`", "").replace(" ", "%20"))
    return (host + (path or ("/" if host else "")) + mask(route))[:MAX_URL_CHARS]


def path_of(url: str) -> str:
    """The path (and route fragment) of a cleaned URL: what the read-out shows after the first page of a site."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return (parts.path or "/") + (f"#{parts.fragment}" if parts.fragment else "")


def _is_phone(text: str) -> bool:
    count = sum(c.isdigit() for c in text)
    if count not in PHONE_DIGITS or re.fullmatch(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*", text.strip()):
        return False
    return text.lstrip().startswith(("+", "(", "0")) or count >= BARE_PHONE_DIGITS


def _labelled(match: re.Match[str]) -> str:
    name = match.group(2)
    words = name.split()
    known = len(words) > 1 and all(word[0].isupper() and word[1:].islower() for word in words)
    return match.group(1) + "[name]" if known and ":" in match.group(1) else match.group()
