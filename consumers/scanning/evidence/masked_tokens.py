"""Tokens and secrets: what lets its bearer in, by its form, by its beginning, or by what it is called."""

import re
from itertools import pairwise
from typing import Final

LONG_CHARS: Final = 20
"""Shorter runs that nothing tells are ids and codes that let nobody in."""
TOKEN_CHARS: Final = 11
"""No token is shorter, not even one that tells by how it begins."""
CHANGES: Final = 3
"""Changes between letters and digits within one part: names of things have one or two ("iphone15pro")."""

_JWT: Final = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*){0,3}")
_BEGUN: Final = re.compile(
    r"\b(?:(?:sk|pk|rk|phc|phx|phs|whsec|hf|npm|key|tok|pat|sess)[-_][\w-]{8,}|gh[opsur]_\w{8,}|github_pat_\w{8,}|"
    r"glpat-[\w-]{8,}|xox[abeprs]-[\w-]{8,}|(?:AKIA|ASIA|AIza|ya29\.)[\w-]{8,}|SG\.[\w-]{8,}\.[\w-]{8,})"
)
_BEARER: Final = re.compile(r"\b(Bearer|Basic)[ :]+(?=\S*[\d=])[\w.~+/=-]{8,}", re.IGNORECASE)
_NAMES: Final = (
    r"(?<![^\W\d_])((?<!_)pass|pass(?:word|wd|phrase)|pwd|passwort|kennwort|contraseña|senha|secret(?:[-_ ]access)?"
    r"(?:[-_ ]?key)?|token|api[-_ ]?key|access[-_ ]?key|session[-_]?id|csrf\w*|otp"
)
"""Also as the last of several words, as in ``aws_secret_access_key``."""
_SECRET: Final = re.compile(
    rf"{_NAMES}|authorization)"
    r"(\\*[\"']?(?: ?= ?| ?: ?\\*[\"'])\\*[\"']?)([^\s\"'&;,\\]{3,})",
    re.IGNORECASE,
)
_TOLD: Final = re.compile(rf"{_NAMES}): (?=\S*\d)(?=\S*[a-z]|\d+\b)([^\s\"'&;,]{{6,}})", re.IGNORECASE)
"""Beside a colon without quotation marks stands the form's own text as well; what has a digit in it is none."""
_HEADER: Final = re.compile(r"\b(authorization: ?(?:basic|bearer|token|digest)) [\w.~+/=-]{8,}", re.IGNORECASE)
_RUN: Final = re.compile(r"(?<![\w-])[\w-]{20,}(?:={1,2}(?![\w\[/+]))?")
_BASE64: Final = re.compile(r"(?<![\w+/])(?=[\w/]*[+=])(?=[\w+/]*\d)[A-Za-z0-9+/]{24,}={0,2}(?![\w+/])")
_MIXED: Final = re.compile(r"(?<![\w+/.-])[A-Za-z0-9/+]{32,}(?![\w+/=-]|\.\w)")
"""Secret access keys of AWS are 40 such characters, told by nothing else (AWS, "A safer way to distribute AWS
credentials to EC2", gives the expression to look for them); paths are made of them, too."""
KEY_CHARS: Final = 40
KEY_DIGITS: Final = 3
PATH_PARTS: Final = 3
JUMBLED: Final = 0.4
MORE_JUMBLED: Final = 0.5
"""Share of neighbours of another kind (upper case, lower case, digit, sign): about 0.64 where characters are drawn at
random from these 64, with 40 of them below the first once in a thousand draws. Paths have a quarter, but
joined words may have half: without a sign (+ or /) three digits are asked for, and of any other length, or
with the slashes of a path, more of such neighbours."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-f]+", re.IGNORECASE)
_PARTS: Final = re.compile(r"[-_]")


def mask_tokens(text: str) -> str:
    """Tokens, keys and secrets of one line; words with hyphens, and numbers alone, are none."""
    masked = _BEGUN.sub("[token]", _JWT.sub("[token]", text))
    masked = _BEARER.sub(r"\1 [token]", masked)
    if ":" in masked:
        masked = _TOLD.sub(r"\1: [token]", _HEADER.sub(r"\1 [token]", masked))
    if "=" in masked or '"' in masked or "'" in masked:
        masked = _SECRET.sub(r"\1\2[token]", masked)
    return _RUN.sub(_long, _MIXED.sub(_jumbled, _BASE64.sub("[token]", masked)))


def _long(match: re.Match[str]) -> str:
    return "[token]" if _random(match.group()) else match.group()


def _jumbled(match: re.Match[str]) -> str:
    run = match.group()
    changes = sum(_kind(one) != _kind(other) for one, other in pairwise(run))
    kinds = {_kind(character) for character in run}
    if not {"A", "a", "0"} <= kinds:
        return run
    signed = "/" in kinds
    key = len(run) == KEY_CHARS and changes >= JUMBLED * len(run) and run.count("/") < PATH_PARTS
    if key and (signed or sum(map(str.isdigit, run)) >= KEY_DIGITS):
        return "[token]"
    return "[token]" if signed and changes >= MORE_JUMBLED * len(run) else run


def _kind(character: str) -> str:
    return "0" if character.isdigit() else "A" if character.isupper() else "a" if character.islower() else "/"


def _random(run: str) -> bool:
    """Whether a run of letters, digits, hyphens and underscores was made by a machine."""
    bare = run.rstrip("=")
    if bare.isdigit():
        return False
    if len(bare) < len(run) or _UUID.fullmatch(bare):
        return True
    joined = _PARTS.sub("", bare)
    if len(joined) >= LONG_CHARS and _HEX.fullmatch(joined) and _mixed(joined):
        return True
    parts = _PARTS.split(bare)
    return sum(len(part) for part in parts if _mixed(part) and _changes(part) >= CHANGES) >= LONG_CHARS / 2


def _mixed(part: str) -> bool:
    return any(c.isdigit() for c in part) and any(c.isalpha() for c in part)


def _changes(part: str) -> int:
    return sum(one.isdigit() != other.isdigit() for one, other in pairwise(part))
