"""Personal data whose pieces stand in elements beside each other, and ordinary texts and numbers that do, too."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.scanning.evidence import build_evidence
from consumers.scanning.evidence.masked_across import mask_across
from tests.scanning.browser import Browser


def read(html: str) -> str:
    return build_evidence(Browser().load("https://shop.test/", f"<main>{html}</main>").wait(2).leave()).text


def row(*cells: str) -> str:
    return f"<table><tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr></table>"


def blocks(*texts: str) -> str:
    return "".join(f"<div>{text}</div>" for text in texts)


PIECES = {
    "e-mail in cells": (row("jane.doe", "@example.com"), ("jane", "doe", "example.com"), "[email]"),
    "e-mail in spans": ("<p><span>jane</span><span>@example.com</span></p>", ("jane", "example.com"), "[email]"),
    "e-mail in blocks": (blocks("jane.doe@", "example.com"), ("jane", "example.com"), "[email]"),
    "e-mail with its @ alone": (blocks("jane.doe", "@", "example.com"), ("jane", "example.com"), "[email]"),
    "e-mail cut in its domain": (blocks("jane.doe@example", ".co", ".uk"), ("jane", "example"), "[email]"),
    "e-mail cut in its name": (blocks("jane", ".doe@example.com"), ("jane", "example"), "[email]"),
    "e-mail after words": (blocks("Write to jane.doe", "@example.com today"), ("jane", "example"), "Write to [email]"),
    "card in blocks": (blocks("4916", "3385", "0608", "2832"), ("4916", "3385", "0608", "2832"), "[card]"),
    "card in cells": (row("Card 4916", "3385", "0608", "2832"), ("4916", "3385", "0608", "2832"), "Card [card]"),
    "card with hyphens": (blocks("4916 -", "3385 -", "0608 -", "2832"), ("4916", "3385", "0608", "2832"), "[card]"),
    "card with a heading between": (
        "<p>4916</p><h3>and</h3><p>3385</p><p>0608</p><h3>then</h3><p>2832</p>",
        ("4916", "3385", "0608", "2832"),
        "[card]",
    ),
    "e-mail with a heading between": (
        "<p>jane.doe</p><h3>Work:</h3><p>@example.com</p>",
        ("jane", "example"),
        "[email]",
    ),
    "card in halves": (blocks("4916 3385", "0608 2832"), ("4916", "3385", "0608", "2832"), "[card]"),
    "card of 4, 6 and 5": (row("3782", "822463", "10005"), ("3782", "822463", "10005"), "[card]"),
    "card and its date": (row("4916", "3385", "0608", "2832", "12/29"), ("3385", "0608"), "[card] | 12/29"),
    "two cards": (row(*["4916", "3385", "0608", "2832", "4111", "1111", "1111", "1111"]), ("3385", "1111"), "[card]"),
    "phone in spans": ("<p><span>+44</span><span>20 7946</span><span>0991</span></p>", ("7946", "0991"), "[phone]"),
    "phone in cells": (row("+44", "20", "7946 0991"), ("7946", "0991"), "[phone]"),
    "phone with an area": (blocks("(030)", "1234 5678"), ("1234", "5678"), "[phone]"),
    "phone in three fields": (row("(212)", "555", "0199"), ("555", "0199"), "[phone]"),
    "phone with hyphens": (row("212-", "555-", "0199"), ("555", "0199"), "[phone]"),
    "mobile number": (blocks("0171", "2345678"), ("0171", "2345678"), "[phone]"),
    "phone by its label": ("<dl><dt>Phone</dt><dd>612 345 678</dd></dl>", ("612", "345"), "Phone | [phone]"),
    "phone in parts by its label": (row("Phone number:", "612", "345", "678"), ("612", "345"), "[phone]"),
    "phone with a plus by its label": (blocks("tel:", "+4420", "79460991"), ("4420", "7946"), "tel: | [phone]"),
    "phone in spans with brackets": (
        "<p><span>(</span><span>212</span><span>)</span> <span>555</span>-<span>0199</span></p>",
        ("212", "0199"),
        "[phone]",
    ),
    "codes in a list": (
        "<h3>Recovery codes</h3><ul><li>1234-5678</li><li>8765-4321</li><li>1111-2222</li></ul>",
        ("1234", "8765", "1111"),
        "[code]",
    ),
    "account number": (row("DE89", "3704", "0044", "0532", "0130", "00"), ("DE89", "3704", "0130"), "[iban]"),
    "account number in halves": (blocks("DE89 3704 0044", "0532 0130 00"), ("DE89", "0044", "0130"), "[iban]"),
    "code by its label": (blocks("Your verification code", "482913"), ("482913",), "[code]"),
    "code in boxes": (blocks("Security code:", *"482913"), ("4 | 8 | 2",), "Security code: | [code]"),
    "security number by its label": (row("SSN", "219", "09", "9999"), ("219", "9999"), "SSN | [ssn]"),
    "password by its label": (row("Password:", "hunter2"), ("hunter2",), "Password: | [token]"),
    "secret key by its label": (row("Secret access key", "abc123/def456"), ("abc123",), "[token]"),
}


@pytest.mark.parametrize(("html", "pieces", "shown"), PIECES.values(), ids=PIECES.keys())
def test_pieces_beside_each_other_are_one(html: str, pieces: tuple[str, ...], shown: str) -> None:
    text = read(html)
    assert shown in text
    assert not [piece for piece in pieces if piece in text]


ORDINARY = [
    ("Name", "Price", "19.99", "24.50", "1249.00"),
    ("Order", "4916", "Qty", "3385", "Total", "0608", "2832"),
    ("4916", "3385", "0608", "2831"),
    ("9916", "3385", "0608", "2836"),
    ("4500", "3200", "1800", "2600", "4100"),
    ("2019", "2020", "2021", "2022"),
    ("49163385", "16082832"),
    ("12:30", "14:45", "16:00"),
    ("+5", "1200", "3400", "12"),
    ("+49", "%", "2021", "12345678"),
    ("Mobile", "1200", "3400", "5600"),
    ("Order number", "12345678", "87654321"),
    ("212", "555", "0199"),
    ("(12)", "3456789"),
    ("(212)", "(555)", "(199)"),
    ("+1200", "3400", "12"),
    ("0012", "3456789"),
    ("Write to us.", "anna", "Contact"),
    ("Posted by", "@ann", "today"),
    ("react-dom", "@18.2.0"),
    ("5 pcs", "@ 3.50 each"),
    ("DE89", "3704", "0044", "0532", "0130", "01"),
    ("Promo code", "482913"),
    ("Postal code", "75001"),
    ("Code", "482913", "Stock", "12"),
    ("Error code:", "1006"),
    ("Password", "8 characters at least"),
    ("Token", "expires in 2026"),
    ("219", "09", "9999"),
    ("Phone", "iPhone 15", "799"),
    ("Fax", "included"),
    ("1", "2", "3", "4", "5", "6", "7", "8"),
]


@pytest.mark.parametrize("cells", ORDINARY)
def test_ordinary_neighbours_stay(cells: tuple[str, ...]) -> None:
    assert " | ".join(cells) in read(row(*cells))


def test_a_whole_address_takes_no_neighbour_with_it() -> None:
    assert "Write to us. | [email] | Opening hours" in read(blocks("Write to us.", "ann@mail.example", "Opening hours"))


def said(browser: Browser) -> str:
    """Everything told of a session."""
    found = build_evidence(browser.wait(3).leave())
    return "\n".join([found.text, *(line.text for line in found.lines), *(signal.subject for signal in found.signals)])


def page(body: str) -> Browser:
    return Browser().load("https://shop.test/", f"<main><button id='k'>Show</button>{body}</main>").wait(2)


def test_an_element_is_named_without_the_piece_in_it() -> None:
    browser = page(
        "<table><tr id='r'><td id='a'>jane.doe</td><td id='b'>@example.com</td><td id='c'>Paid</td></tr></table>"
    )
    for name in "abrc":
        browser.click(name).wait(3)
    text = said(browser)
    assert not [piece for piece in ("jane", "example") if piece in text]
    assert 'click "[email]" text' in text
    assert 'click "Paid" text' in text
    assert 'click "[email] Paid" text' in text


def test_a_click_on_a_group_of_a_card() -> None:
    browser = page(
        "<div><div id='a'>4916</div><div id='b'>3385</div><div id='c'>0608</div><div id='d'>2832</div></div>"
    )
    for name in "abcd":
        browser.click(name).wait(3)
    text = said(browser)
    assert not [group for group in ("4916", "3385", "0608", "2832") if group in text]


def test_cells_that_a_script_adds() -> None:
    browser = page("<table><tr id='r'></tr></table>").click("k")
    text = said(browser.fill("r", "<td>jane.doe</td><td>@example.com</td><td>Gold</td>"))
    assert not [piece for piece in ("jane", "example") if piece in text]
    assert '"Gold"' in text


@pytest.mark.parametrize("order", ["abcd", "dcba", "bdac"])
def test_what_was_told_is_taken_back_when_the_rest_comes(order: str) -> None:
    browser = page("<div><p id='a'></p><p id='b'></p><p id='c'></p><p id='d'></p></div>").click("k")
    groups = dict(zip("abcd", ("4916", "3385", "0608", "2832"), strict=True))
    for name in order:
        browser.wait(0.2).fill(name, groups[name])
    text = said(browser)
    assert not [group for group in groups.values() if group in text]
    assert "[card]" in text


def test_what_the_page_told_is_taken_back_when_the_rest_comes() -> None:
    browser = page("<h2>Contact</h2><p>jane.doe</p><p id='b'></p><p>Open all day</p>").click("k").wait(1)
    text = said(browser.fill("b", "@example.com"))
    assert not [piece for piece in ("jane", "example") if piece in text]
    assert "Open all day" in text


def test_labels_of_fields_in_a_row() -> None:
    groups = dict(zip("abcd", ("4916", "3385", "0608", "2832"), strict=True))
    browser = page(
        "<form>" + "".join(f"<label>{group}<input id='{name}'></label>" for name, group in groups.items()) + "</form>"
    )
    for name in groups:
        browser.type(name, "xyz").wait(1)
    text = said(browser)
    assert not [group for group in groups.values() if group in text]
    assert 'types into "[card]" field' in text


def test_a_code_that_a_script_fills_in() -> None:
    browser = page("<p>Your login code</p><p id='a'></p>").click("k").wait(0.2).fill("a", "482913")
    assert "482913" not in said(browser)


def test_nothing_is_looked_for_while_masking_is_off() -> None:
    browser = page(row("jane.doe", "@example.com")).wait(1)
    assert "jane.doe | @example.com" in build_evidence(browser.leave(), masked=False).text


def test_numbers_that_a_script_adds_stay() -> None:
    browser = page("<div><p>Total</p><p id='a'></p><p>4916</p><p>3385</p></div>").click("k").wait(0.2)
    assert 'screen shows "1024"' in said(browser.fill("a", "1024"))


def test_fields_in_a_row_tell_nothing_of_their_content() -> None:
    field = "<input id='{0}' value='{1}' readonly>"
    html = "".join(field.format(*pair) for pair in zip("abcd", ("4916", "3385", "0608", "2832"), strict=True))
    browser = page(f"<form>{html}</form>")
    for name in "abcd":
        browser.click(name).wait(1).type(name, "1234")
    assert not [group for group in ("4916", "3385", "0608", "2832") if group in said(browser)]


WORDS = st.sampled_from(
    ["Total", "Qty", "9.99", "€ 12", "1,024", "12:30", "2026-03-14", "Blue", "x2", "80 %", "in stock"]
)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12))
def test_prices_quantities_times_and_words_stay(cells: list[str]) -> None:
    assert mask_across(cells) == cells


@settings(deadline=None)
@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4), st.integers(1, 15))
def test_an_address_cut_anywhere_outside_its_words_is_masked(before: list[str], after: list[str], at: int) -> None:
    address = "jane@example.com"
    cut = next(n for n in (at, 4, 5) if n in (4, 5, 12))  # around the @, and at the dot
    masked = mask_across([*before, address[:cut], address[cut:], *after])
    assert masked == [*before, "[email]", "", *after]


@pytest.mark.parametrize(
    "piece",
    ["a@", "a-", "@a.", "1", "1111", "+1", "(0", "4916", "code", "your code", "1 is", "DE", "phone 1", "token", "-"],
)
def test_hostile_neighbours_take_no_time(piece: str) -> None:
    started = time.process_time()
    mask_across([f"{piece} {piece}"] * 400 + [piece * 400] * 20 + [piece] * 4_000)
    assert time.process_time() - started < 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=("C",)), max_size=30), max_size=12))
def test_as_many_texts_come_out_as_went_in(texts: list[str]) -> None:
    assert len(mask_across(texts)) == len(texts)
    assert len(mask_across(texts, each=True)) == len(texts)
