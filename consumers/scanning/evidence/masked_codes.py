"""What opens something for one person: one-time codes, card security codes, and social security numbers.

Digits alone tell nothing, so a code is one by what it is called, in any order: "your code is 482 913", "482913 is your
login code". Lengths: four to eight digits (RFC 4226, 5.3 asks for six and more; banks and doors use four), also in two
groups or one by one; three or four of a card's security code (CVC2, CVV2, CID).
"""

import re
from typing import Final

from consumers.scanning.evidence.masked_pieces import BETWEEN, HYPHENS, as_pieces

FEWEST: Final = 4
CARD_DIGITS: Final = (3, 4)
"""Digits of the shortest one-time code, and of a card's security code."""
_CODED: Final = re.compile(
    r"c[oó]d(?:e|igo)|\b(?:otp|pin|m?tan|cv[cv]2?|ssn|itin)\b|password|passwort|social security|payer id",
    re.IGNORECASE,
)
_BEGUN: Final = (
    "cod",
    "cód",
    "otp",
    "pin ",
    "pin:",
    "tan ",
    "tan:",
    f"pin{BETWEEN}",
    f"tan{BETWEEN}",
    "cvc",
    "cvv",
    "passw",
    "ssn",
    "itin",
    "social",
    "payer",
)
HYPHENATED: Final = re.compile(rf"\d\d\d[{HYPHENS}]\d\d[{HYPHENS}]\d")

_OPENING: Final = (
    "verification verify security confirmation one-time onetime single-use login sign-in signin access auth "
    "authentication authenticator authorization 2fa mfa two-factor two-step otp sms recovery backup activation unlock "
    "reset pass pin entry cvc cvv door bestätigungs sicherheits verifizierungs einmal anmelde zugangs freischalt "
    "aktivierungs vérification sécurité connexion validation unique verificación seguridad confirmación acceso "
    "verificação segurança confirmação acesso"
)
_YOURS: Final = "your ihr ihren dein deinen votre ton tu su seu"
_OTHER: Final = (
    "article item product order reference customer client promo promotion discount coupon voucher gift postal post zip "
    "area country dialing dialling error status exit response http https color colour source bar qr dress tax sort "
    "swift bic bank branch currency language room flight airport unit batch hs tariff version build diagnosis icd cpt "
    "class course department cost fault stop event reason return result tracking referral offer sku category location "
    "store stock rabatt gutschein fehler artikel produkt länder farb réduction erreur descuento desconto erro "
    "promocional produit producto produto"
)
"""What stands beside "code" where it opens something, where it is the reader's own, and where it is anything else."""
_SECRET_WORDS: Final = frozenset(_OPENING.split(" "))
_YOUR_WORDS: Final = frozenset(_YOURS.split(" "))
_OTHER_WORDS: Final = frozenset(_OTHER.split(" "))
_GROUPS: Final = rf"\d{{4,8}}|\d{{2,4}}[ {BETWEEN}-]\d{{2,4}}|\d(?:[ {BETWEEN}-]\d){{3,7}}"
_DIGITS: Final = rf"(?:[A-Z]{{1,3}}-)?(?:{_GROUPS})"
_LETTERS: Final = r"(?-i:(?=[A-Z-]*\d)(?=[\d-]*[A-Z])[A-Z\d-]{5,12})"
_END: Final = r"(?!\w|[.,:/-]\d|[%€$£])"
_TO: Final = rf"(?:[\"']? ?(?P<to>[:=]|is|are|was|lautet|ist|est|es|é)[ {BETWEEN}\"']{{0,3}}|[ {BETWEEN}]{{1,2}})"
_AFTER_CODE: Final = re.compile(
    r"(?P<words>\b(?:[\w'-]{1,24}[ _]){0,3})"
    r"(?P<code>(?P<part>(?-i:[A-Za-zäöüß]{0,16}))-?c[oó]d(?:e|igo)s?"
    r"(?P<more>(?: (?:de |à |a )?(?:un solo |usage )?[^\W\d]{3,14})?)"
    r"|otp|pin|m?tan|cv[cv]2?|one-time pass(?:word|code)|einmalpasswort)"
    rf"{_TO}(?P<value>{_DIGITS}|{_LETTERS}|\d{{3}}){_END}",
    re.IGNORECASE,
)
_BEFORE_CODE: Final = re.compile(
    rf"(?<![\w.,:/-])(?P<value>{_DIGITS})(?P<is>[ {BETWEEN}](?:is|as|ist|est|es|é)[ {BETWEEN}])"
    rf"(?P<words>(?:[\w'-]{{1,24}}[ {BETWEEN}]){{1,5}}?)"
    r"(?P<part>[a-zäöüß]{0,16}?)(?P<code>-?c[oó]d(?:e|igo)|otp|pin|tan|password|passwort)\b",
    re.IGNORECASE,
)
_SEVERAL: Final = re.compile(r"codes|c[oó]digos", re.IGNORECASE)
_NEXT_CODE: Final = re.compile(
    rf"(\[code\][,;]?[ {BETWEEN}](?:(?:and|und|et|y|e) )?)(?:{_DIGITS}|{_LETTERS}){_END}", re.IGNORECASE
)
MAX_LISTED: Final = 20
"""Codes to get back in with are given as a list, ten or so."""
_PIECES: Final = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_SURE_DIGITS: Final = 6
"""A bare "code:" is told apart from the number of an article by the length that one-time codes mostly have."""

_AREA: Final = r"(?!000|666|9)\d{3}"
_SERIAL: Final = r"(?!0000)\d{4}"
_SSN: Final = re.compile(rf"(?<![\w.-]){_AREA} ?[{HYPHENS}] ?(?!00)\d\d ?[{HYPHENS}] ?{_SERIAL}(?![\w-]|\.\d)")
"""Of the United States: area not 000, 666 or 900 and more, group not 00, serial not 0000 (Social Security
Administration, "SSN randomization")."""
_CALLED_SSN: Final = re.compile(
    rf"(\b(?:ssn|itin|social[ -]security(?: (?:number|no\.?|#))?|tax[ -]?payer id)\b[ :#.{BETWEEN}]{{0,4}}(?:is )?)"
    rf"(\d{{3}}[ {BETWEEN}{HYPHENS}]{{0,3}}\d\d[ {BETWEEN}{HYPHENS}]{{0,3}}\d{{4}})(?!\d)",
    re.IGNORECASE,
)
_ORDERED: Final = re.compile(
    r"\b(?:order|orders|invoice|ticket|case|tracking|booking|reservation|article|item|sku|part|model|product|serial|isbn|"
    r"bestell\w*|rechnung\w*|artikel\w*|commande|facture|pedido|factura|fatura)\b[^;|,]{0,16}$",
    re.IGNORECASE,
)
_NAMED_CHARS: Final = 40


def names_code(text: str) -> bool:
    """Whether a word is there without which nothing is found here but a hyphenated number. A quick look comes first."""
    lower = text.lower()
    return any(word in lower for word in _BEGUN) and bool(_CODED.search(text))


def mask_codes(text: str) -> str:
    """One-time codes and security codes that are called so."""
    masked = _BEFORE_CODE.sub(_before, _AFTER_CODE.sub(_after, text))
    for _ in range(MAX_LISTED if "[code]" in masked and _SEVERAL.search(masked) else 0):
        listed = _NEXT_CODE.sub(r"\1[code]", masked)
        if listed == masked:
            break
        masked = listed
    return masked


def mask_social_security(text: str) -> str:
    """Social security numbers, by their form, unless they are called the number of an order or a thing."""
    called = _CALLED_SSN.sub(lambda match: match.group(1) + as_pieces("[ssn]", match.group(2)), text)
    return _SSN.sub(lambda match: _ssn(match, called), called)


def _ssn(match: re.Match[str], text: str) -> str:
    before = text[max(0, match.start() - _NAMED_CHARS) : match.start()]
    return match.group() if _ORDERED.search(before) else "[ssn]"


def _after(match: re.Match[str]) -> str:
    value, whole = match["value"], match.group()
    words = _words(match["words"], match["part"] or "", match["more"] or "")
    if not _is_secret(words, match["code"], match["to"] or "", value):
        return whole
    return whole[: match.start("value") - match.start()] + as_pieces("[code]", value)


def _before(match: re.Match[str]) -> str:
    words = _words(match["words"], match["part"], "")
    if _OTHER_WORDS & words or not (_SECRET_WORDS | _YOUR_WORDS) & words:
        return match.group()
    return as_pieces("[code]", match["value"]) + match.group()[len(match["value"]) :]


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word.lower() for text in texts for word in _PIECES.findall(text))


def _is_secret(words: frozenset[str], name: str, to: str, value: str) -> bool:
    alone = name.lower().startswith(("otp", "pin", "tan", "mtan", "cv", "one-time", "einmal"))
    if not alone and _OTHER_WORDS & words:
        return False
    digits = sum(c.isdigit() for c in value)
    if alone:
        card = name.lower().startswith("cv")
        return (
            (digits in CARD_DIGITS)
            if card
            else digits >= FEWEST and (bool(to) or not name.lower().startswith(("pin", "tan")))
        )
    called = bool(_SECRET_WORDS & words)
    if value.isdigit() and digits < FEWEST:
        return "security" in words and to == ":"
    if called:
        return True
    if any(c.isalpha() for c in value):
        return False
    return bool(_YOUR_WORDS & words) or (bool(to) and to != "=" and digits >= _SURE_DIGITS)
