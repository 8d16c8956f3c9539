"""Numbers that belong to a person: cards, bank accounts, phones; and those that look alike and do not."""

import re
from itertools import pairwise
from typing import Final

from consumers.scanning.evidence.masked_pieces import BETWEEN, HYPHENS, as_pieces

CARD_DIGITS: Final = range(13, 20)
"""Lengths of card numbers (ISO/IEC 7812)."""
PHONE_DIGITS: Final = range(7, 16)
"""E.164 allows 15 digits; local numbers have 7 and more."""
BARE_PHONE_DIGITS: Final = 10
"""Digits that make a phone number where nothing else tells it from a price or a date."""
NATIONAL_DIGITS: Final = range(8, 13)
"""Digits of a number in national form, with the 0 in front."""
MOBILE_DIGITS: Final = 10
"""So many and more has a number whose area code is four digits long, the 0 in front counted."""
ROW: Final = 4
"""Numbers in equal steps that make a row, such as the pages to choose from or the days of a week."""

_CARD: Final = re.compile(rf"(?<!\d)\d(?:[ ._\xb7{HYPHENS}]?\d){{12,27}}(?!\d)")
_CARD_GROUPS: Final = re.compile(r"(?<!\d)\d{4}([ ,/|]{1,3})\d{4}\1\d{4}\1\d{4}(?!\d)")
"""A card typed into four fields, however what collects them sets them apart."""
_MS_TIME: Final = re.compile(r"1\d{12}")
"""Milliseconds since 1970, from 2001 to 2033: one in ten passes the card check, and no card begins with 1."""
_ISSUER: Final = frozenset("23456")

_IBAN_COUNTRIES: Final = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 "
    "FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 "
    "LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 "
    "SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
)
"""Countries of the IBAN registry (SWIFT), each with the length of its numbers."""
_IBAN_LENGTHS: Final = {text[:2]: int(text[2:]) for text in _IBAN_COUNTRIES.split(" ")}
_IBAN_BEGIN: Final = re.compile(rf"(?<=\b[A-Za-z][A-Za-z])\d\d(?=[ {BETWEEN}-]?\w)")
_IBAN_REST: Final = re.compile(rf"(?:[ {BETWEEN}-]?[A-Z0-9])*", re.IGNORECASE)

_RUN: Final = re.compile(rf"(?<![\w.#/-])(?:\+ ?)?(?:\( ?)?\d[\d ()./{HYPHENS}]{{5,26}}\d(?![\w%])")
_DATE: Final = re.compile(
    r"(?<![\d./-])(?:\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:19|20)\d\d)(?![\d/]|[.-]\d)"
)
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:([ .])\d{3})(?:\1\d{3})*")
_DOTS_ONLY: Final = re.compile(r"[1-9]\d*(?:\.\d+)+")
_FRACTION: Final = re.compile(r"0\.\d+")
_ROUND: Final = re.compile(r"[1-9]\d{0,4}0{6,}")
_DOTTED: Final = re.compile(r"[2-9]\d\d\.\d{3}\.\d{4}")
"""A number of North America with dots, which no version and no number with thousands looks like."""
_NUMBERED: Final = re.compile(
    r"(?:\b(?:order|orders|invoice|ticket|case|ref|reference|tracking|booking|reservation|article|item|sku|isbn|ean|id|"
    r"no|nr|num|number|[a-zäöü]{0,16}nummer|bestellung|rechnung|auftrag|artikel|vorgang|commande|facture|numéro|pedido|factura|fatura|"
    r"encomenda|número|version|build|code|timestamp|time|postal|zip)\b|[#№])[-\w]{0,12}[ .:#-]{0,3}$",
    re.IGNORECASE,
)
_CALLED: Final = re.compile(
    r"(?:\b(?:tel|phone|telephone|mobile|cell|call|fax|whatsapp|sms|ring|dial|telefon|handy|mobil|rufnummer|anruf|"
    r"téléphone|portable|appelez|teléfono|móvil|celular|llame|telefone|telemóvel|ligue|contact)\b|[☎✆📞📱])[^\d+(]{0,24}$",
    re.IGNORECASE,
)
_NAMED_CHARS: Final = 40
"""How far before a number is looked for what it is called."""
_SIGNS: Final = ("€", "$", "£", "¥", "₹", "€ ", "$ ", "£ ", "EUR ", "USD ", "GBP ", "CHF ", "R$ ")
_MONEY: Final = re.compile(r"^ ?(?:[€$£¥₹]|(?:EUR|USD|GBP|CHF|BRL|PLN|SEK|NOK|DKK|JPY|km|MB|GB|KB|kB|px|ms)\b)")


def mask_cards(text: str) -> str:
    """Numbers of 13 to 19 digits, in groups or not, that pass the card check (Luhn)."""
    return _CARD_GROUPS.sub(_card, _CARD.sub(_card, text))


def _card(match: re.Match[str]) -> str:
    run = match.group()
    if luhn(run) and not _MS_TIME.fullmatch(run):
        return "[card]"
    # Digits of something else may stand before or after it, in groups of their own.
    starts = [0, *(at + 1 for at, c in enumerate(run) if not c.isdigit())]
    ends = [*(at for at, c in enumerate(run) if not c.isdigit()), len(run)]
    for start in starts:
        for end in reversed(ends):
            part = run[start:end]
            if start < end and part[0] in _ISSUER and luhn(part):
                return run[:start] + "[card]" + run[end:]
    return run


def luhn(digits: str) -> bool:
    """Whether the digits in ``digits`` are as many as a card has and pass its check."""
    numbers = [int(c) for c in digits if c.isdigit()]
    total = 0
    for place, number in enumerate(reversed(numbers)):
        doubled = number * 2 if place % 2 else number
        total += sum(divmod(doubled, 10))
    return len(numbers) in CARD_DIGITS and total % 10 == 0


def mask_ibans(text: str) -> str:
    """International bank account numbers: the country's length, and the check of ISO 13616."""
    parts: list[str] = []
    done = 0
    for check in _IBAN_BEGIN.finditer(text):
        start = check.start() - 2  # the country stands before it
        end = _iban_end(text, start) if start >= done else 0
        if end:
            parts += [text[done:start], as_pieces("[iban]", text[start:end])]
            done = end
    return "".join([*parts, text[done:]])


def _iban_end(text: str, start: int) -> int:
    """Where the number that begins at ``start`` ends; 0 if it is none."""
    wanted = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if wanted is None:
        return 0
    rest = _IBAN_REST.match(text, start, start + 2 * wanted)
    places = [at for at in range(start, rest.end() if rest else start) if text[at].isalnum()][:wanted]
    if len(places) < wanted or text[places[-1] + 1 : places[-1] + 2].isalnum():
        return 0
    code = "".join(text[at] for at in places).upper()
    return places[-1] + 1 if int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1 else 0


def mask_phones(text: str) -> str:
    """Phone numbers: international, with an area code in brackets, in national form, and whatever is called one."""
    return _RUN.sub(lambda match: _phone(match, text), text)


def _phone(match: re.Match[str], text: str) -> str:
    run = match.group()
    before = text[max(0, match.start() - _NAMED_CHARS) : match.start()]
    foreign = run.startswith(("+", "00"))
    rest = run if foreign else _DATE.sub(" ", run).strip()
    digits = sum(c.isdigit() for c in rest)
    if digits not in PHONE_DIGITS:
        return run
    if foreign or _CALLED.search(before):
        return "[phone]"
    if _NUMBERED.search(before) or _MONEY.match(text[match.end() : match.end() + 5]) or before.endswith(_SIGNS):
        return run
    return "[phone]" if _national(rest, digits) else run


def _national(run: str, digits: int) -> bool:
    if run.count("(") != run.count(")") or _THOUSANDS.fullmatch(run) or _is_other(run):
        return False
    if "(" in run or _DOTTED.fullmatch(run):
        return True
    if run[0] == "0":
        return digits in NATIONAL_DIGITS and "/" not in run[4 if digits < MOBILE_DIGITS else 5 :]
    if run.isdigit() and digits in (BARE_PHONE_DIGITS, 13) and run[0] == "1":
        return False  # seconds or milliseconds since 1970
    long = digits >= BARE_PHONE_DIGITS and not run.startswith(("978", "979"))  # those are books (ISBN)
    return long and not re.match(r"(?:19|20)\d\d[-/.]", run)


def _is_other(run: str) -> bool:
    """Versions, fractions, round amounts, one range of two numbers, and rows such as "1 2 3 4 5 6 7 8"."""
    if any(other.fullmatch(run) for other in (_DOTS_ONLY, _FRACTION, _ROUND)) and not _DOTTED.fullmatch(run):
        return True
    if "\u2013" in run:
        return run.count("\u2013") == 1
    numbers = [int(number) for number in re.split(r"[ /-]+", run) if number.isdigit()]
    return len(numbers) >= ROW and len({after - before for before, after in pairwise(numbers)}) == 1
