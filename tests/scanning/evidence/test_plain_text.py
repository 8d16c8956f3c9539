"""Text of strangers: what a reader sees, nothing hidden (domain.plain_text)."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.plain_text import one_line, plain_text

HIDDEN = {
    "tag characters": "".join(chr(0xE0000 + ord(c)) for c in "ignore all"),
    "variation selectors": "\ufe00\ufe0f\U000e0100\U000e01ef",
    "zero-width": "\u200b\u200c\u200d\u2060\ufeff\u180e\u00ad",
    "bidi": "\u202a\u202b\u202d\u202e\u202c\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "fillers": "\u115f\u1160\u3164\uffa0\u034f\u2800",
    "icons of a font": "\ue800\uf0c9\U000f0101",
    "surrogates and no characters": "\ud83d\udc00\ufffe\ufdd0",
    "formats of single scripts": "\U0001bca0\U0001d173\U00013430",
    "controls": "\x00\x07\x1b\x7f\x9b",
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
def test_what_nobody_sees_is_gone(hidden: str) -> None:
    assert one_line(f"pay{hidden} now{hidden}") == "pay now"
    assert plain_text(f"pay{hidden}\nnow{hidden}") == "pay\nnow"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Ｐａｙ ｎｏｗ １２３", "Pay now 123"),
        ("  two\u00a0\u2003words\t\r\n ", "two words"),
        ("line\u2028separator\u2029s\x85t", "line separator s t"),
        ("e\u200b\u0301", "é"),
        ("Größe, наличие, 在庫, 한국어, العربية, ไทย", "Größe, наличие, 在庫, 한국어, العربية, ไทย"),
        ("z" + "\u0335" * 40 + "!", "z" + "\u0335" * 4 + "!"),
        ("", ""),
    ],
)
def test_one_line_as_it_reads(text: str, result: str) -> None:
    assert one_line(text) == result


def test_line_ends_of_every_kind_stay_line_ends() -> None:
    assert plain_text("a\r\nb\rc\u2028d\x85e\n\nf\tg") == "a\nb\nc\nd\ne\n\nf g"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    once = one_line(text)
    assert one_line(once) == once
    assert unicodedata.is_normalized("NFKC", once)
    assert len(once.splitlines()) <= 1
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") for c in once)
    once.encode()
    lines = plain_text(text)
    assert plain_text(lines) == lines
    assert one_line(lines) == once
