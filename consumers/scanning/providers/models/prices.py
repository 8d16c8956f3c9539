"""What a request to a model has cost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

from consumers.scanning.providers.models.catalogue import CatalogueModel, Price

_MILLION = 1_000_000

MOST_TOKENS = 1_000_000_000
"""Of one request, in or out: as many as the largest context that a catalogue may name. A server that counts more, or
fewer than none, counts something else."""

_CENT_OF_A_CENT = Decimal("0.00000001")
"""A single token of the cheapest model costs more than that."""


class Usage(Protocol):
    """Tokens of one request, as pydantic-ai's ``RequestUsage`` counts them: those of the cache are among the input."""

    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cache_read_tokens(self) -> int: ...
    @property
    def cache_write_tokens(self) -> int: ...


def plausible(usage: Usage) -> bool:
    """Whether a server's count can be one of tokens. It goes into an event for good, and is what a customer is told."""
    counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    return all(0 <= count <= MOST_TOKENS for count in counts)


def cost_usd(entry: CatalogueModel, usage: Usage, day: date | None = None) -> Decimal:
    """US dollars for the tokens of one request, by the catalogue's price of that day (UTC; None: today).

    Of a conversation of several requests, add them up one by one: vendors price each by the length of its prompt.
    """
    price = _price(entry, usage.input_tokens, day or datetime.now(UTC).date())
    read = min(usage.cache_read_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - read)
    plain = usage.input_tokens - read - written
    dollars = (
        plain * price.input
        + read * (price.input if price.cached_input is None else price.cached_input)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + usage.output_tokens * price.output
    ) / _MILLION
    return dollars.quantize(_CENT_OF_A_CENT)


def _price(entry: CatalogueModel, prompt: int, day: date) -> Price:
    """The row of the latest day that has come, and of that day the one for the longest prompt that this one exceeds."""
    latest = max(price.first for price in entry.prices if price.first <= day)
    rows = (price for price in entry.prices if price.first == latest and (price.over == 0 or price.over < prompt))
    return max(rows, key=lambda price: price.over)
