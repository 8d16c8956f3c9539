"""Personal data out of page text (architecture 10, anchors D.5): what is found, by which rule, and what stays.

Masked: e-mail addresses, card numbers, IBANs, phone numbers, tokens and secrets, names that stand beside any of them;
of addresses in a text, the user, the query and the fragment. Numbers that are dates, prices, versions or
are called an order number stay.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from urllib.parse import unquote, urlsplit

from consumers.scanning.evidence.masked_across import mask_across
from consumers.scanning.evidence.masked_codes import HYPHENATED, mask_codes, mask_social_security, names_code
from consumers.scanning.evidence.masked_numbers import mask_cards, mask_ibans, mask_phones
from consumers.scanning.evidence.masked_pieces import BETWEEN
from consumers.scanning.evidence.masked_tokens import TOKEN_CHARS, mask_tokens
from domain.plain_text import one_line

MAX_URL_CHARS: Final = 200
"""Length of a URL in the navigation timeline (engine 4.1)."""
MAX_URL_READ: Final = 4_096
"""Characters of an address that are taken apart; twice what browsers commonly take. What is shown is far shorter."""
MAX_KNOWN: Final = 4_000
"""Texts remembered of one recording: its pages say much the same again and again."""
KNOWN_CHARS: Final = 400
"""Longer texts are not remembered: they seldom come again."""
MAX_BESIDE: Final = 200
BESIDE_CHARS: Final = 20_000
"""Pages remembered of one recording with all texts on them, and their size: the same one is read again and again."""
READ_TIMES: Final = 8
"""So many times its limit is read of a text: masking and collapsed white space make it shorter."""

_LOCAL: Final = r"[\w.+'!#$&*^{|}~-]"
_HOST: Final = r"(?:[\w-]+\.)+[^\W\d_][\w-]+"
_EMAIL: Final = re.compile(
    rf"(?<!{_LOCAL}){_LOCAL}+(?: ?@ ?|%(?:25)*40|&#(?:64|x40);|\\+u0040| ?[\[({{<]at[\])}}>] ?)(?:{_HOST}"
    rf"|\[?\d{{1,3}}(?:\.\d{{1,3}}){{3}}|[\w-]+(?: ?[\[({{<]dot[\])}}>] ?[\w-]+)+)",
    re.IGNORECASE,
)
_AT: Final = re.compile(r"[\[({<]at[\])}>]", re.IGNORECASE)
_USERINFO: Final = re.compile(r"\b([a-z][a-z0-9+.-]{1,15}://)[^/\s]*@", re.IGNORECASE)
_AFTER_PATH: Final = re.compile(r"\b((?:https?|wss?|ftp)://[^\s\"'?#]+)[?#][^\s\"']*", re.IGNORECASE)
_PARAMETERS: Final = re.compile(r"(?<=[\w/.])[?#][\w.%\[\]~-]{1,60}=[^\s\"'<>]*")
_UPPER: Final = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĢĪĮİĶĹĻĽŁŃŅŇŌŐŘŚŞŠŢŤŪŮŰŲŹŻŽ"
_NAME: Final = re.compile(
    rf"\b[{_UPPER}][\w'-]+(?: [{_UPPER}]\.?)?(?: (?:de|van|von|der|la|al|bin|da|dos|du|le|di))*"
    rf"(?: [{_UPPER}][\w'-]+){{1,2}}\b"
)
_LABELLED_NAME: Final = re.compile(
    r"\b((?:contact|name|customer|recipient|attention|attn|card ?holder|bill(?:ed)? to|ship(?:ped)? to|signed in as|"
    r"logged in as|hello|hi|dear|kunde|kundin|empfänger|karteninhaber|angemeldet als|hallo|nom|client|destinataire|"
    r"titulaire|connecté en tant que|bonjour|nombre|cliente|destinatario|titular|hola|nome|olá)\b[:,]?\s+)"
    rf"([{_UPPER}][\w'-]+(?: [{_UPPER}][\w'-]+){{0,2}})",
    re.IGNORECASE,
)
_BESIDE_EMAIL: Final = re.compile(
    r"\b(?!(?:E-?mail|Mail|Contact|Kontakt|Support|Address|Adresse|Correo|From|To|At|Us|Help|Write|Von|An|De|Para)\b)"
    rf"[{_UPPER}][\w'-]+(?=[ ,:<(-]+\[email\])"
)
_MANY_DIGITS: Final = re.compile(r"\d(?:\D{0,3}\d){6}")
_IN_PIECES: Final = re.compile(r"[\d@\uff20]|at[\])}>]", re.IGNORECASE)
"""What is in every text that goes on in another one: a digit, or the sign of an address."""
_SOME_DIGITS: Final = re.compile(r"\d.{0,3}\d")
_MARKED: Final = frozenset("@:?=#%[({<&\\")
"""Characters of addresses, and of what is called a secret."""
MASKED: Final = re.compile(r"\[(?:email|phone|card|iban|ssn)\]")


class _Masking:
    """Whether personal data is masked, and what became of the texts read before."""

    __slots__ = ("beside", "known", "on")

    def __init__(self, *, on: bool, remember: bool) -> None:
        self.on = on
        self.known: dict[tuple[str, int], str] | None = {} if remember else None
        self.beside: dict[tuple[str, ...], list[str]] = {}


_ALONE: Final = _Masking(on=True, remember=False)
_MASKING: Final[ContextVar[_Masking]] = ContextVar("masking", default=_ALONE)


@contextmanager
def masking(*, on: bool) -> Iterator[None]:
    """How texts are read inside. Off: as they are, but normalised all the same; addresses keep no query either way."""
    token = _MASKING.set(_Masking(on=on, remember=True))
    try:
        yield
    finally:
        _MASKING.reset(token)


def mask(text: str) -> str:
    """One line of plain text without personal data, unless masking is off.

    ``[email]``, ``[card]``, ``[iban]``, ``[phone]``, ``[ssn]``, ``[code]``, ``[token]`` and ``[name]`` stand for what
    was there.
    """
    if not _MASKING.get().on:
        return text
    digits = bool(_MANY_DIGITS.search(text))
    coded = bool(_SOME_DIGITS.search(text)) and bool(HYPHENATED.search(text) or names_code(text))
    if not digits and not coded and _MARKED.isdisjoint(text) and max(map(len, text.split()), default=0) < TOKEN_CHARS:
        return text  # most text
    masked = text
    if "://" in masked:
        masked = _AFTER_PATH.sub(r"\1", _USERINFO.sub(r"\1", masked))
    if "?" in masked or "#" in masked:
        masked = _PARAMETERS.sub("", masked)
    masked = _EMAIL.sub("[email]", masked) if _addressed(masked) else masked
    masked = mask_cards(mask_ibans(masked)) if digits else masked
    masked = mask_codes(mask_social_security(masked)) if coded else masked
    masked = mask_tokens(masked)
    masked = mask_phones(masked) if digits else masked
    if "[" in masked and MASKED.search(masked):
        masked = _BESIDE_EMAIL.sub("[name]", _NAME.sub("[name]", masked))
    return _LABELLED_NAME.sub(_labelled, masked) if ":" in masked else masked


def mask_beside(texts: list[str], *, each: bool = False) -> list[str]:
    """Texts that stand beside each other, without personal data that is in pieces (mask_across), unless masking is off.

    A text that holds no such piece is as it was given; any other is one line, and may be empty.
    """
    if not _MASKING.get().on or not _IN_PIECES.search(BETWEEN.join(texts)):
        return texts
    known, key = _MASKING.get().beside, (*texts, str(each))
    found = known.get(key)
    if found is None:
        lines = [one_line(text) for text in texts]
        masked = mask_across(lines, each=each)
        found = [text if line == new else new for text, line, new in zip(texts, lines, masked, strict=True)]
        if _MASKING.get().known is not None and sum(map(len, texts)) <= BESIDE_CHARS:
            if len(known) >= MAX_BESIDE:
                known.clear()
            known[key] = found
    return found


def _addressed(text: str) -> bool:
    return "@" in text or ("%" in text and "40" in text) or "&#" in text or "u0040" in text or bool(_AT.search(text))


def looks_like_name(text: str) -> bool:
    """Two or three capitalised words and nothing else, where names are masked."""
    return _MASKING.get().on and bool(_NAME.fullmatch(text))


def clean(text: str, limit: int) -> str:
    """Page text for the read-out: normalised, masked, then cut to ``limit`` characters."""
    known = _MASKING.get().known
    if known is None or len(text) > KNOWN_CHARS:
        return _cleaned(text, limit)
    found = known.get((text, limit))
    if found is None:
        if len(known) >= MAX_KNOWN:
            known.clear()
        found = known[text, limit] = _cleaned(text, limit)
    return found


def _cleaned(text: str, limit: int) -> str:
    read = text[: limit * READ_TIMES]
    if len(read) == len(text):
        return cut(mask(one_line(read)), limit)
    read = read.rpartition(" ")[0] or read[:-limit]  # the last word may be half an address, which none would know
    return cut(mask(one_line(read)) + " …", limit)


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters of a clean text, the last one an ellipsis where there were more."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def quoted(text: str) -> str:
    """``text`` in double quotes, with backslash and quote escaped, so that page text cannot end its own quotation."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def clean_url(url: object) -> str:
    """A URL without userinfo, query and fragment, at most 200 characters; empty where it is not http(s) or a path.

    A fragment that is a route (``#/settings``) stays, without its own query.
    """
    if not isinstance(url, str):
        return ""
    known = _MASKING.get().known
    if known is None or len(url) > KNOWN_CHARS:
        return _cleaned_url(url)
    found = known.get((url, -1))
    if found is None:
        if len(known) >= MAX_KNOWN:
            known.clear()
        found = known[url, -1] = _cleaned_url(url)
    return found


def _cleaned_url(url: str) -> str:
    try:
        parts = urlsplit(one_line(url[:MAX_URL_READ]))
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "") or (parts.scheme and not parts.hostname):
        return ""
    route = "#" + parts.fragment.split("?")[0] if parts.fragment.startswith(("/", "!/")) else ""
    host = f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme else ""
    path = _masked_path(parts.path.replace("`", "").replace(" ", "%20"))
    return (host + (path or ("/" if host else "")) + _masked_path(route))[:MAX_URL_CHARS]


def _masked_path(path: str) -> str:
    return "/".join(map(_masked_segment, path.split("/"))) if path else ""


def _masked_segment(segment: str) -> str:
    """A part of a path, as it is unless it holds personal data when its escapes are read."""
    read = one_line(unquote(segment))
    masked = mask(read) if not read.isdigit() else mask_cards(read) if _MASKING.get().on else read
    return segment if masked == read else masked.replace(" ", "%20")


def path_of(url: str) -> str:
    """The path (and route fragment) of a cleaned URL: what the read-out shows after the first page of a site."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return (parts.path or "/") + (f"#{parts.fragment}" if parts.fragment else "")


def _labelled(match: re.Match[str]) -> str:
    name = match.group(2)
    words = name.split()
    known = len(words) > 1 and all(word[0].isupper() and word[1:].islower() for word in words)
    return match.group(1) + "[name]" if known and ":" in match.group(1) else match.group()
