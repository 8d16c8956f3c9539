"""Personal data in page text and URLs."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.scanning.evidence.masked_numbers import luhn
from consumers.scanning.evidence.masking import MAX_URL_CHARS, clean, clean_url, mask, quoted


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to ann.b+x@mail.example.org today", "Write to [email] today"),
        ("Card 4916 3385 0608 2832 on file", "Card [card] on file"),
        ("Card 4111-1111-1111-1111", "Card [card]"),
        ("Call +44 20 7946 0991 now", "Call [phone] now"),
        ("Call (030) 1234 5678", "Call [phone]"),
        ("key sk_live_abcdefgh12345678 leaked", "key [token] leaked"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def", "[token]"),
        ("see https://a.example/x?token=1&mail=b for it", "see https://a.example/x for it"),
        ("see https://ann:pw@a.example/x", "see https://a.example/x"),
        ("Benedikta Sorrel, b.s@example.net", "[name], [email]"),
        ("Mira <mira@example.net>", "[name] <[email]>"),
        ("Contact: Benedikta Sorrel", "Contact: [name]"),
    ],
)
def test_personal_data_is_replaced(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Order number R-79875 of 2026-03-14",
        "Total: $1,249.00",
        "1234567890123456 is no card",
        "Payment declined. Try another card.",
        "Trail Lamp and Canvas Pack",
        "INV-2041 due 12 Jan at 10:30",
    ],
)
def test_what_is_no_personal_data_stays(text: str) -> None:
    assert mask(text) == text


@settings(deadline=None)
@given(st.lists(st.integers(2, 9), min_size=12, max_size=18), st.sampled_from(["", " ", "-"]))
def test_every_number_that_passes_luhn_is_masked(digits: list[int], separator: str) -> None:
    check = next(c for c in range(10) if luhn("".join(map(str, [*digits, c]))))
    number = separator.join(map(str, [*digits, check]))
    assert number not in mask(f"paid with {number} yesterday")


@settings(deadline=None)
@given(st.text(string.ascii_letters + string.digits + ".+_", min_size=1, max_size=20).filter(lambda s: s[0].isalnum()))
def test_every_address_is_masked(local: str) -> None:
    assert f"{local}@shop.example" not in mask(f"to {local}@shop.example")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_quotation_ends_where_it_ends(text: str) -> None:
    inside = quoted(clean(text, 80))[1:-1].replace("\\\\", "")
    assert '"' not in inside.replace('\\"', "")


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("https://ann:pw@a.example:8443/p/1?q=2#x", "https://a.example:8443/p/1"),
        ("https://a.example", "https://a.example/"),
        ("https://a.example/#/team?x=1", "https://a.example/#/team"),
        ("/relative?x=1", "/relative"),
        ("https://a.example/u/ann@b.example", "https://a.example/u/[email]"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("https://[bad", ""),
        ("https://a.example:99999/", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_urls_keep_only_what_names_a_page(url: object, cleaned: str) -> None:
    assert clean_url(url) == cleaned


def test_long_urls_are_cut() -> None:
    assert len(clean_url("https://a.example/" + "x/" * 500)) == MAX_URL_CHARS
