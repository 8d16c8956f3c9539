r"""Regular expressions of users: a subset with a bounded cost, which means the same to RE2, Python and PostgreSQL.

Accepted: literals, `.` (no line break), sets, `\d \w \s` and their opposites, `\b`, `^` and `$` (ends of the text),
groups, alternatives, `* + ? {m,n}` also lazy (greed does not change whether there is a match), and `(?i)` at the start.
Classes and case are those of ASCII. Refused: `\B` (it means several things in empty text), back-references,
look-around, named groups, a repetition inside a repetition, counts over 255, what grows beyond MOST_STATES once its
counts are written out, and more than MOST_OPTIONAL of what may be empty in counted groups: PostgreSQL connects every
such place with every other. It then needs time in proportion to the text.
"""

from __future__ import annotations

from dataclasses import dataclass

from projections.queries.matching.terms import Unanswered

LONGEST = 500
"""Characters of a pattern."""

MOST_STATES = 2_000
"""Characters that a pattern may have with its counts written out."""

MOST_COUNT = 255
"""PostgreSQL's own limit of a count."""

MOST_OPTIONAL = 60
"""Characters, counts written out, in groups that are counted and may be empty, such as `(?:a?b?){30}`; of a pattern."""

DEEPEST = 20
"""Groups in one another."""

_SHORT = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\r\f\v"}
_CONTROL = {"n": r"\n", "r": r"\r", "t": r"\t", "f": r"\f", "v": r"\v"}
_CONTROLLED = {r"\n": "\n", r"\r": "\r", r"\t": "\t", r"\f": "\f", r"\v": "\v"}
_EDGES = {"b": r"\y", "A": r"\A", "z": r"\Z"}
_ANY = ({"s", "S"}, {"d", "D"}, {"w", "W"})


@dataclass(frozen=True, slots=True)
class _Piece:
    """`size`: characters when counts are written out. `repeats`: holds a repetition. `edge`: matches no character.

    `empty`: may match no character.
    """

    text: str
    size: int = 1
    repeats: bool = False
    edge: bool = False
    empty: bool = False


def translated(pattern: str) -> str:
    """The pattern in PostgreSQL's language, for use with COLLATE "C". Raises Unanswered with the reason."""
    if len(pattern) > LONGEST:
        raise Unanswered(f"a pattern of more than {LONGEST} characters")
    ignoring_case = pattern.startswith("(?i)")
    reader = _Reader(pattern, 4 if ignoring_case else 0)
    piece = reader.alternatives(0)
    if not reader.ended:
        raise Unanswered("a bracket that nothing opens")
    return f"(?i){piece.text}" if ignoring_case else piece.text


class _Reader:
    """Reads a pattern once, from left to right."""

    def __init__(self, pattern: str, at: int) -> None:
        self._pattern = pattern
        self._at = at
        self._optional = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._pattern)

    def alternatives(self, depth: int) -> _Piece:
        """Up to the end, or to the bracket that closes the group."""
        if depth > DEEPEST:
            raise Unanswered("groups nested too deep")
        branches = [self._branch(depth)]
        while self._taken("|"):
            branches.append(self._branch(depth))
        size = sum(branch.size for branch in branches)
        if size > MOST_STATES:
            raise Unanswered("repetitions that are too large")
        text = "|".join(branch.text for branch in branches)
        repeats, empty = any(branch.repeats for branch in branches), any(branch.empty for branch in branches)
        return _Piece(text, size, repeats=repeats, empty=empty)

    def _branch(self, depth: int) -> _Piece:
        pieces = list[_Piece]()
        while not self.ended and self._ahead not in "|)":
            pieces.append(self._repeated(self._atom(depth)))
        text = "".join(piece.text for piece in pieces)
        repeats, empty = any(piece.repeats for piece in pieces), all(piece.edge or piece.empty for piece in pieces)
        return _Piece(text, sum(piece.size for piece in pieces), repeats=repeats, empty=empty)

    def _repeated(self, piece: _Piece) -> _Piece:
        counted = self._quantifier()
        if counted is None:
            return piece
        quantifier, most = counted
        if piece.edge:
            raise Unanswered("a repetition of an edge")
        if piece.repeats and quantifier != "?":
            raise Unanswered("a repetition inside a repetition")
        self._taken("?")
        if self._quantifier() is not None:
            raise Unanswered("a repetition inside a repetition")
        size = piece.size * max(most, 1)
        if size > MOST_STATES:
            raise Unanswered("repetitions that are too large")
        counts = quantifier not in ("*", "+", "?")
        if counts and piece.empty:
            self._optional += size
            if self._optional > MOST_OPTIONAL:
                raise Unanswered("counted groups that may be empty")
        empty = piece.empty or quantifier in ("*", "?") or quantifier.startswith("{0")
        return _Piece(piece.text + quantifier, size, repeats=piece.repeats or quantifier != "?", empty=empty)

    def _quantifier(self) -> tuple[str, int] | None:
        """The quantifier that comes next, in PostgreSQL's language, and how often it writes out what it repeats."""
        for simple in "*+?":
            if self._taken(simple):
                return simple, 1
        if self.ended or self._ahead != "{":
            return None
        end = self._pattern.find("}", self._at)
        low, comma, high = self._pattern[self._at + 1 : max(end, 0)].partition(",")
        if comma and not low and _digits(high):
            raise Unanswered("a count without a beginning")  # two languages, two meanings
        if end < 0 or not _digits(low) or (high and not _digits(high)):
            return None  # a brace like any other character
        least, most = int(low[:4]), int((high or low)[:4])
        if most > MOST_COUNT or least > MOST_COUNT:
            raise Unanswered("repetitions that are too large")
        if most < least:
            raise Unanswered("a count that ends before it begins")
        self._at = end + 1
        if not comma:
            return f"{{{least}}}", least
        return (f"{{{least},{most}}}", most) if high else (f"{{{least},}}", least + 1)

    def _atom(self, depth: int) -> _Piece:  # noqa: PLR0911 - one a kind
        character = self._next()
        match character:
            case ".":
                return _Piece(r"[^\n]")
            case "^":
                return _Piece(r"\A", edge=True)
            case "$":
                return _Piece(r"\Z", edge=True)
            case "[":
                return _Piece(self._set())
            case "(":
                return self._group(depth)
            case "\\":
                return self._escaped()
            case "*" | "+" | "?":
                raise Unanswered("a repetition of nothing")
            case _:
                return _Piece(_literal(character))

    def _group(self, depth: int) -> _Piece:
        if self._taken("?") and not self._taken(":"):
            raise Unanswered("a group with a question mark (look-around, say)")
        inside = self.alternatives(depth + 1)
        if not self._taken(")"):
            raise Unanswered("a bracket that is not closed")
        return _Piece(f"(?:{inside.text})", inside.size, inside.repeats, empty=inside.empty)

    def _escaped(self) -> _Piece:
        character = self._next()
        if character in _EDGES:
            return _Piece(_EDGES[character], edge=True)
        if character.lower() in _SHORT:
            negation = "^" if character.isupper() else ""
            return _Piece(f"[{negation}{_SHORT[character.lower()]}]")
        if character.isdigit():
            raise Unanswered("a back-reference")
        return _Piece(self._escape(character))

    def _escape(self, character: str) -> str:
        """An escape that stands for one character."""
        if character in _CONTROL:
            return _CONTROL[character]
        if character == "x":
            digits = self._next() + self._next()
            if not all(digit in "0123456789abcdefABCDEF" for digit in digits) or digits == "00":
                raise Unanswered("an escape")
            return _literal(chr(int(digits, 16)))
        if character.isalnum():
            raise Unanswered(f"\\{character}")
        return _literal(character)

    def _set(self) -> str:
        negation = "^" if self._taken("^") else ""
        if self._taken("]"):
            raise Unanswered("an empty set")
        parts = list[str]()
        shorthands = set[str]()
        while not self._taken("]"):
            character = self._next()
            if character == "\\" and not self.ended and self._ahead.lower() in _SHORT:
                shorthands.add(self._next())
                continue
            low = self._member(character)
            if self._taken("-"):
                parts.append(low + self._range_end(low))
            else:
                parts.append(low)
        if shorthands in _ANY and not parts and not negation:
            return "."  # everything, line breaks too
        if any(shorthand.isupper() for shorthand in shorthands):
            raise Unanswered("an opposite inside a set")
        return f"[{negation}{''.join(parts)}{''.join(_SHORT[each] for each in sorted(shorthands))}]"

    def _range_end(self, low: str) -> str:
        """The rest of a range, or a minus sign that stands for itself at the end of the set."""
        if not self.ended and self._ahead == "]":
            return r"\-"
        following = self._next()
        if following == "\\" and not self.ended and self._ahead.lower() in _SHORT:
            raise Unanswered("a range to a class")
        high = self._member(following)
        if _character(high) < _character(low):
            raise Unanswered("a range that ends before it begins")
        return f"-{high}"

    def _member(self, character: str) -> str:
        if character == "\\":
            return self._escape(self._next())
        if character == "[":
            raise Unanswered("a bracket inside a set")
        return _literal(character)

    @property
    def _ahead(self) -> str:
        return self._pattern[self._at]

    def _next(self) -> str:
        if self.ended:
            raise Unanswered("a pattern that breaks off")
        self._at += 1
        return self._pattern[self._at - 1]

    def _taken(self, character: str) -> bool:
        if self.ended or self._ahead != character:
            return False
        self._at += 1
        return True


def _literal(character: str) -> str:
    """Only ASCII letters and digits mean more behind a backslash; only punctuation means more without one."""
    return character if character.isalnum() or ord(character) > 127 or character < "!" else f"\\{character}"  # noqa: PLR2004


def _character(member: str) -> str:
    return _CONTROLLED.get(member, member[-1])


def _digits(text: str) -> bool:
    return bool(text) and text.isascii() and text.isdigit()
