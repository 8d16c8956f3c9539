"""The file of models and prices: what ships, what an operator may write, and what a request costs by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from consumers.scanning.providers.models.catalogue import SHIPPED, BadCatalogue, Catalogue
from consumers.scanning.providers.models.prices import cost_usd

MODEL = """
[[model]]
provider = "openai"
id = "own/model-1"
prices = [{ input = "1", output = "2" }]
priced_on = 2026-11-27
source = "ours"
"""


@dataclass
class Tokens:
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


def read(tmp_path: Path, text: str) -> Catalogue:
    file = tmp_path / "models.toml"
    file.write_text(text)
    return Catalogue.read(file)


def test_what_ships() -> None:
    ids = Catalogue.read(SHIPPED).ids
    assert list(ids) == ["google", "openai", "anthropic", "builtin"]
    assert ids["google"][:2] == ("gemini-3-flash-preview", "gemini-3.1-flash-lite-preview"), "contract 3.1"
    assert ids["builtin"] == ("builtin",)
    assert all(len(models) >= 5 for provider, models in ids.items() if provider != "builtin")


def test_every_price_that_ships_has_a_day_and_a_place() -> None:
    today = datetime.now(UTC).date()
    for entry in Catalogue.read(SHIPPED).models.values():
        assert date(2026, 1, 1) <= entry.priced_on <= max(today, date(2026, 11, 27))
        assert entry.provider == "builtin" or "https://" in entry.source
        assert entry.provider == "builtin" or cost_usd(entry, Tokens(1, 1)) > 0


def test_another_file_replaces_it_and_keeps_the_built_in_analyser(tmp_path: Path) -> None:
    assert read(tmp_path, MODEL).ids == {"openai": ("own/model-1",), "builtin": ("builtin",)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it lists no [[model]]"),
        ("model = 3", "it lists no [[model]]"),
        ("[[model", "it is not TOML"),
        (MODEL + "[models]\nx = 1", "there is nothing called models"),
        (MODEL + MODEL, 'the model "own/model-1" of openai is listed twice'),
        (MODEL.replace("openai", "mistral"), "model 1 (own/model-1): provider: Input should be 'google'"),
        (MODEL.replace("own/model-1", "two words"), "model 1 (two words): id: String should match"),
        (MODEL.replace('"1"', "0.25"), "prices.0.input: amounts are written in quotes"),
        (MODEL.replace('"1"', '"-1"'), "prices.0.input: Input should be greater than or equal to 0"),
        (MODEL.replace('"1"', '"NaN"'), "prices.0.input: Input should be a finite number"),
        (MODEL.replace('source = "ours"', ""), "source: Field required"),
        (MODEL.replace("priced_on", "priced_at"), "priced_on: Field required\nmodel 1 (own/model-1): priced_at: Extra"),
        (MODEL.replace('{ input = "1", output = "2" }', ""), "prices: Tuple should have at least 1 item"),
        (MODEL.replace("{ input", "{ over = 5, input"), "one price must have neither"),
        (MODEL.replace('" }]', '" }, { input = "3", output = "4" }]'), "two prices have the same"),
        (MODEL.replace('" }]', '" }, { since = 2027-01-01, over = 9, input = "3", output = "4" }]'), "one of each"),
        (MODEL.replace("openai", "google") + 'api = "chat"', "api is for models of openai"),
        (MODEL.replace("openai", "builtin"), 'the model of the provider "builtin" is "builtin"'),
        ("\n[[model]]" * 3, "model 3 (None): provider: Field required"),
    ],
)  # fmt: skip
def test_a_fault_is_told_in_words(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue) as refused:
        read(tmp_path, text)
    assert told in str(refused.value)


@pytest.mark.parametrize("text", [f"a = {'[' * 100_000}", MODEL.replace('"1"', "9" * 5_000), "[[model]]\n" * 20_000])
def test_a_file_beyond_all_measure_is_a_plain_reason(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue) as refused:
        read(tmp_path, text)
    assert len(str(refused.value)) < 5_000


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, told in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(BadCatalogue, match=told):
            Catalogue.read(path)
    (tmp_path / "latin").write_bytes(MODEL.replace("ours", "ünser").encode("latin-1"))
    with pytest.raises(BadCatalogue, match="not UTF-8"):
        Catalogue.read(tmp_path / "latin")
    (tmp_path / "large").write_text("#" * 1_000_001)
    for path in (tmp_path / "large", Path("/dev/zero")):
        with pytest.raises(BadCatalogue, match="more than 1000000 bytes"):
            Catalogue.read(path)


PRICED = """
[[model]]
provider = "anthropic"
id = "m"
prices = [
  { input = "1", cached_input = "0.1", cache_write = "1.25", output = "5" },
  { over = 100_000, input = "2", cached_input = "0.2", output = "10" },
  { since = 2027-01-01, input = "3", output = "6" },
]
priced_on = 2026-11-27
source = "ours"
"""


@pytest.mark.parametrize(
    ("tokens", "day", "dollars"),
    [
        (Tokens(), "2026-11-27", "0"),
        (Tokens(10_000, 1_000), "2026-11-27", "0.015"),
        (Tokens(10_000, 0, cache_read_tokens=4_000, cache_write_tokens=1_000), "2026-11-27", "0.00665"),
        (Tokens(100_000, 0), "2026-11-27", "0.1"),
        (Tokens(100_001, 1_000), "2026-11-27", "0.210002"),
        (Tokens(200_000, 0, cache_write_tokens=200_000), "2026-11-27", "0.4"),
        (Tokens(100_001, 1_000), "2027-01-01", "0.306003"),
        (Tokens(10, 0, cache_read_tokens=11), "2026-11-27", "0.000001"),
        (Tokens(1, 0), "2026-11-27", "0.000001"),
    ],
)
def test_what_a_request_costs(tokens: Tokens, day: str, dollars: str, tmp_path: Path) -> None:
    entry = read(tmp_path, PRICED).find("anthropic", "m")
    assert entry is not None
    cost = cost_usd(entry, tokens, date.fromisoformat(day))
    assert (cost, type(cost)) == (Decimal(dollars), Decimal)
