"""Whole families of personal data in texts, and what looks like them."""

import string
from datetime import date
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.scanning.evidence.masked_numbers import luhn
from consumers.scanning.evidence.masking import mask


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


PHONES = st.builds(
    lambda country, groups, separator: f"+{country}{separator}{separator.join(groups)}",
    st.sampled_from(["1", "44", "49", "33", "34", "351", "55", "81", "91"]),
    st.lists(st.text(string.digits, min_size=2, max_size=4), min_size=3, max_size=3),
    st.sampled_from([" ", "-", ".", ""]),
)


@settings(deadline=None)
@given(PHONES, st.sampled_from(["call {} now", "({})", "{}", "Tel.: {}, daily", "<{}>"]))
def test_every_international_phone_number_is_masked(number: str, around: str) -> None:
    assert number[1:] not in mask(around.format(number))


@settings(deadline=None)
@given(st.dates(date(1950, 1, 1), date(2090, 1, 1)), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d-%m-%Y"]))
def test_no_date_is_taken_for_a_number(day: date, form: str) -> None:
    text = f"from {day.strftime(form)} to {day.strftime(form)} at 10:15"
    assert mask(text) == text


@settings(deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["€{}", "{} €", "USD {}", "{} kB", "Order {}", "no. {}", "#{}"]))
def test_no_price_or_order_number_is_taken_for_a_phone(number: int, around: str) -> None:
    for text in (around.format(number), around.format(f"{number:,}".replace(",", "."))):
        assert mask(text) == text


@settings(deadline=None)
@given(st.sampled_from(["DE", "GB", "FR", "NL", "ES", "PT"]), st.data())
def test_every_account_number_is_masked(country: str, data: st.DataObject) -> None:
    length = {"DE": 22, "GB": 22, "FR": 27, "NL": 18, "ES": 24, "PT": 25}[country]
    rest = data.draw(st.text(string.digits, min_size=length - 4, max_size=length - 4))
    check = 98 - int("".join(str(int(c, 36)) for c in rest + country) + "00") % 97
    number = f"{country}{check:02}{rest}"
    for form in (number, " ".join(number[at : at + 4] for at in range(0, length, 4)), number.lower()):
        assert form not in mask(f"pay to {form} please")


def test_secret_keys_of_forty_characters_are_masked() -> None:
    chance = Random(40)
    keys = ["".join(chance.choices(f"{string.ascii_letters}{string.digits}/+", k=40)) for _ in range(1_000)]
    assert sum(key in mask(f"key {key} of us") for key in keys) <= 30


@settings(deadline=None)
@given(st.integers(1, 899), st.integers(1, 99), st.integers(1, 9_999))
def test_every_social_security_number_is_masked(area: int, group: int, serial: int) -> None:
    if area != 666:
        assert mask(f"file {area:03}-{group:02}-{serial:04} of") == "file [ssn] of"


@settings(deadline=None)
@given(st.text(string.digits, min_size=4, max_size=8), st.sampled_from(["code", "login code", "verification code"]))
def test_every_code_of_the_reader_is_masked(code: str, name: str) -> None:
    for text in (f"Your {name} is {{}}.", f"{{}} is your {name}", f"Your {name}: {{}}"):
        assert mask(text.format(code)) == text.format("[code]")


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=48))
def test_every_long_hex_is_masked(secret: bytes) -> None:
    text = secret.hex()
    if not text.isdigit() and not text.isalpha():
        assert text not in mask(f"session {text} open")


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=300))
def test_masking_never_breaks_and_takes_its_time(text: str) -> None:
    assert len(mask(text)) <= 3 * len(text) + 20
