"""Personal data whose pieces stand in texts beside each other: in cells, in blocks, or with its name in one of them.

Read together, without joining what only happens to stand there: a card needs an issuer's first digits, the groups that
cards are printed in, and the check of ISO/IEC 7812; an account number its country, length and check (ISO 13616); an
e-mail address all of ``local@domain.tld``; a phone number a country's code (ITU-T E.164) or an area code in front, or
what it is called.
"""

import re
from collections.abc import Sequence
from typing import Final

from consumers.scanning.evidence.masked_codes import mask_codes, mask_social_security, names_code
from consumers.scanning.evidence.masked_numbers import luhn, mask_ibans
from consumers.scanning.evidence.masked_pieces import BETWEEN, as_pieces, joined, parted

LOCAL_CHARS: Final = 100
HOST_CHARS: Final = 300
"""Looked at on either side of an @: 64 and 255 are allowed (RFC 5321, 4.5.3.1), and marks between the pieces."""

_NUMBERS_MEET: Final = re.compile(rf"\d[^\w{BETWEEN}]{{0,3}}{BETWEEN}\W{{0,3}}\d")
"""Where a number may go on in the next text."""

_L: Final = r"[\w.+'!#$&*^{|}~-]"
_AT: Final = re.compile(r"@|[\[({<]at[\])}>]", re.IGNORECASE)
_ATS: Final = ("@", "at]", "at)", "at}", "at>")
_BEFORE_AT: Final = re.compile(
    rf"(?<!{_L}){_L}+(?:{BETWEEN}(?=[._+-]){_L}+|(?<=[_+-]){BETWEEN}{_L}+)*[ {BETWEEN}]{{0,2}}$"
)
_TLD: Final = r"[^\W\d_][\w-]+"
_AFTER_AT: Final = re.compile(
    rf"[ {BETWEEN}]{{0,2}}(?:(?:[\w-]+\.)+{_TLD}(?:{BETWEEN}\.[^\W\d_]{{2,}})*"
    rf"|[\w-]+{BETWEEN}?\.{BETWEEN}?[^\W\d_]{{2,}}|[\w-]+{BETWEEN}(?:[\w-]+\.)+{_TLD})"
)

_DIGITS: Final = re.compile(rf"(?<![\w.,:/#-])\d+(?:[ {BETWEEN}\xb7\u2022\u2013-]{{1,5}}\d+)+(?![\w%]|[.,:/]\d)")
_GROUP: Final = re.compile(r"\d+")
_CARD_GROUPS: Final = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1))
_ISSUERS: Final = re.compile(
    r"4|5[0-8]|2(?:20[0-4]|22[1-9]|2[3-9]|[3-6]|7[01]|720)|3(?:0[0-5]|[4-9])|6(?:0|[24-9])|8[12]"
)
"""First digits of Visa, Mastercard and Maestro, Mir, Diners, American Express, JCB, Discover, UnionPay, RuPay, as their
issuers publish them (ISO/IEC 7812-1 assigns them)."""
_ROUND: Final = 3
"""So many groups that are whole hundreds are a row of a table."""

_COUNTRY: Final = (
    r"(?:1|7|2[07]|2[1-69]\d|3[0-469]|3[578]\d|4[013-9]|42\d|5[1-8]|5[09]\d|6[0-6]|6[789]\d|8[1246]|8[0578]\d"
    r"|9[0-58]|9[679]\d)"
)
_APART: Final = rf"[ {BETWEEN}()./\u2013-]"
_CODE_FIRST: Final = re.compile(
    rf"(?<![\w.,+-])(?:\+ ?{_COUNTRY}(?=[^\d.,])|00{_COUNTRY}(?={_APART}{{1,3}}[1-9])"
    rf"|\+{_COUNTRY}\d{{1,4}}(?={BETWEEN}\d{{6}})|\((?:0\d{{1,4}}|[2-9]\d\d)\)(?![ {BETWEEN}]{{0,3}}\()"
    rf"|0[1-9]\d{{1,3}}(?={BETWEEN}[1-9])|[2-9]\d\d(?={BETWEEN}?-{BETWEEN}?\d{{3}}{BETWEEN}?-))"
    rf"(?:{_APART}{{1,3}}\d+)+(?![\w%]|[.,:/]\d)"
)
_SHORTEST: Final = 9
"""Digits after which the next text is no longer part of a number."""
_PHONE_DIGITS: Final = range(8, 16)
_LABEL_CHARS: Final = 40
_PHONE: Final = re.compile(rf"{BETWEEN}((?:\+ ?)?\(?\d+(?:{_APART}{{1,3}}\d+)*)(?![\w%]|[.,:/]\d)")
_PHONE_LABEL: Final = re.compile(
    r"(?:\b(?:tel|(?:tele)?phone|fax|whatsapp|telefon|rufnummer|handynummer|téléphone|teléfono|celular|telefone|"
    r"telemóvel|(?:mobile|cell|telefon|phone)[ -]?(?:phone|number|no|nummer))\b(?: (?:number|no|nr))?|[☎✆📞📱])"
    r"[ :.]{0,3}$",
    re.IGNORECASE,
)
_CALLS: Final = ("tel", "tél", "fax", "whatsapp", "phone", "nummer", "celular", "mobile", "cell", "☎", "✆", "📞", "📱")
_SECRETS: Final = ("pass", "kennwort", "contrase", "senha", "secret", "token", "key")
"""Parts of the words of the two rules, to look for first."""
_LABELLED_PHONE: Final = range(7, 16)
_SECRET: Final = re.compile(
    rf"{BETWEEN}(?=[^\s{BETWEEN}]*\d)(?=[^\s{BETWEEN}]*[a-z])[^\s{BETWEEN}]{{6,200}}(?={BETWEEN}|$)", re.IGNORECASE
)
_SECRET_LABEL: Final = re.compile(
    r"\b(?:pass(?:word|wd|phrase)|passwort|kennwort|contraseña|senha|(?:client|api|access)[ -]secret|secret"
    r"(?: access)? key|(?:access |api |auth )?token|api[ -]?key|access[ -]key)[ :]{0,2}$",
    re.IGNORECASE,
)


def mask_across(texts: Sequence[str], *, each: bool = False) -> list[str]:
    """``texts`` in their order on the page, one line each, without what goes over the end of one of them.

    What stands in one text alone stays: ``masking.mask`` is for that. The placeholder shows in the first text that held
    a piece, or with ``each`` in all of them; a text that held nothing else may be empty.
    """
    text = joined(list(texts))
    if BETWEEN not in text:
        return list(texts)
    lower = text.lower()
    text = mask_ibans(_emails(text) if any(sign in lower for sign in _ATS) else text)
    if _NUMBERS_MEET.search(text):
        text = _CODE_FIRST.sub(_phone, _DIGITS.sub(_card, text))
    if names_code(lower):
        text = mask_social_security(mask_codes(text))
    if any(word in lower for word in _CALLS):
        text = _PHONE.sub(lambda match: _called(match, text), text)
    if any(word in lower for word in _SECRETS):
        text = _SECRET.sub(lambda match: _told(match, text), text)
    return parted(text, each=each)


def _emails(text: str) -> str:
    parts: list[str] = []
    done = 0
    for at in _AT.finditer(text):
        before = _BEFORE_AT.search(text, max(done, at.start() - LOCAL_CHARS), at.start())
        after = _AFTER_AT.match(text, at.end(), at.end() + HOST_CHARS)
        if before is not None and after is not None and BETWEEN in (found := text[before.start() : after.end()]):
            parts += [text[done : before.start()], as_pieces("[email]", found)]
            done = after.end()
    return "".join([*parts, text[done:]])


def _card(match: re.Match[str]) -> str:
    run = match.group()
    if BETWEEN not in run:
        return run
    groups = [group.span() for group in _GROUP.finditer(run)]
    at = 0
    shown: list[str] = []
    done = 0
    while at < len(groups):
        size = next((len(form) for form in _CARD_GROUPS if _is_card(run, groups[at : at + len(form)], form)), 0)
        if size:
            start, end = groups[at][0], groups[at + size - 1][1]
            shown += [run[done:start], as_pieces("[card]", run[start:end])]
            done = end
        at += size or 1
    return "".join([*shown, run[done:]])


def _is_card(run: str, groups: Sequence[tuple[int, int]], form: Sequence[int]) -> bool:
    if [end - start for start, end in groups] != list(form):
        return False
    numbers = [run[start:end] for start, end in groups]
    table = sum(number.endswith("00") and int(number) > 0 for number in numbers) >= _ROUND
    return not table and bool(_ISSUERS.match(numbers[0])) and luhn("".join(numbers))


def _phone(match: re.Match[str]) -> str:
    found, rest = _number(match.group())
    national = found.startswith(("0", "("))
    digits = sum(c.isdigit() for c in found)
    if BETWEEN not in found or digits not in _PHONE_DIGITS or (national and digits < _SHORTEST):
        return match.group()
    return as_pieces("[phone]", found) + rest


def _called(match: re.Match[str], text: str) -> str:
    found, rest = _number(match.group(1))
    digits = sum(c.isdigit() for c in found)
    if digits not in _LABELLED_PHONE or not _PHONE_LABEL.search(_before(match, text)):
        return match.group()
    return BETWEEN + as_pieces("[phone]", found) + rest


def _told(match: re.Match[str], text: str) -> str:
    return f"{BETWEEN}[token]" if _SECRET_LABEL.search(_before(match, text)) else match.group()


def _before(match: re.Match[str], text: str) -> str:
    return text[max(0, match.start() - _LABEL_CHARS) : match.start()]


def _number(run: str) -> tuple[str, str]:
    """The texts of a run that make one number, and what is left: no text is added to one that is long enough."""
    digits = 0
    for at, character in enumerate(run):
        if character == BETWEEN and digits >= _SHORTEST:
            return run[:at], run[at:]
        digits += character.isdigit()
    return run, ""
