"""Which models scanners may name, and what they cost: a file, so that an operator can change it without a release.

The file beside this module ships with the project; ``REPLAY_VISION_MODELS_FILE`` replaces it (operator-interface.md).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

SHIPPED = Path(__file__).with_name("catalogue.toml")

BUILTIN = "builtin"
"""Provider and model of our own analyser: always there, whatever the file lists, since it needs nothing."""

VENDORS = ("google", "openai", "anthropic")
"""Providers that a file may name beside it. A server that speaks OpenAI's protocol is ``openai`` with a base URL."""

LARGEST_FILE = 1_000_000
"""Bytes. A model takes some 200."""

MAX_FAULTS = 50
"""Lines that are told about one file."""

Dollars = Annotated[Decimal, Field(ge=0, le=100_000, max_digits=12, decimal_places=6)]


class BadCatalogue(ValueError):
    """The file is not a catalogue. The text says what is wrong in words for the operator, one line a fault."""


class Price(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    """Of prompt tokens read from the vendor's cache; None: as much as any other."""
    cache_write: Dollars | None = None
    """Of prompt tokens written to it; None: as much as any other."""
    over: Annotated[int, Field(ge=0)] = 0
    """For requests with more prompt tokens than this: all of their tokens are then charged so."""
    since: date | None = None
    """The first day (UTC) of the price; None: from the beginning."""

    @property
    def first(self) -> date:
        return self.since or date.min

    @field_validator("input", "output", "cached_input", "cache_write", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        if isinstance(value, float):
            message = 'amounts are written in quotes, such as "0.25": a number with a point is not exact'
            raise ValueError(message)  # noqa: TRY004 - pydantic makes a fault of the file of it
        return value


class CatalogueModel(BaseModel):
    """One model of one provider."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["google", "openai", "anthropic", "builtin"]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$")]
    """As the vendor spells it."""
    context: Annotated[int, Field(ge=1_000, le=1_000_000_000)] | None = None
    """Tokens of a request and its answer together; None: not known."""
    api: Literal["responses", "chat"] | None = None
    """For ``openai``: which of its two protocols. None: Responses at the vendor, Chat Completions at a base URL."""
    prices: Annotated[tuple[Price, ...], Field(min_length=1, max_length=20)]
    priced_on: date
    """The day on which somebody looked the prices up."""
    source: Annotated[str, Field(min_length=1, max_length=300)]
    """Where."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.api is not None and self.provider != "openai":
            message = "api is for models of openai"
            raise ValueError(message)
        if (self.provider == BUILTIN) != (self.id == BUILTIN):
            message = f'the model of the provider "{BUILTIN}" is "{BUILTIN}", and no other has that id'
            raise ValueError(message)
        rows = [(price.first, price.over) for price in self.prices]
        if len(set(rows)) < len(rows):
            message = "two prices have the same `since` and `over`"
            raise ValueError(message)
        if not {(first, 0) for first in (date.min, *(first for first, _ in rows))} <= set(rows):
            message = "one price must have neither `since` nor `over`, and one of each `since` no `over`"
            raise ValueError(message)
        return self


_BUILTIN = CatalogueModel(
    provider=BUILTIN,
    id=BUILTIN,
    prices=(Price(input=Decimal(0), output=Decimal(0)),),
    priced_on=date(2026, 11, 27),
    source="It runs here and costs nothing.",
)


class Catalogue:
    """The models of one installation, in the file's order."""

    def __init__(self, models: Sequence[CatalogueModel]) -> None:
        """Raises BadCatalogue for a model that is listed twice."""
        self.models: Mapping[tuple[str, str], CatalogueModel] = {(each.provider, each.id): each for each in models}
        if len(self.models) < len(models):
            seen = [(each.provider, each.id) for each in models]
            twice = next(key for key in seen if seen.count(key) > 1)
            raise BadCatalogue(f'the model "{twice[1]}" of {twice[0]} is listed twice')
        self.models = {**self.models, (BUILTIN, BUILTIN): self.models.get((BUILTIN, BUILTIN), _BUILTIN)}

    @classmethod
    def read(cls, path: Path) -> Catalogue:
        """Raises BadCatalogue, also for a file that is missing or cannot be read."""
        try:
            document = tomllib.loads(_text(path))
        except BadCatalogue:
            raise
        except OSError as error:
            raise BadCatalogue(error.strerror or type(error).__name__) from None
        except UnicodeDecodeError:
            raise BadCatalogue("it is not UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise BadCatalogue(f"it is not TOML: {error}") from None
        except (ValueError, RecursionError):
            # Not the decoder's own: Python's limits, of the digits of a number and of how deep calls go.
            raise BadCatalogue("it has a number of thousands of digits, or lists in lists without end") from None
        return cls(_models(document))

    def find(self, provider: str, model: str) -> CatalogueModel | None:
        """The model, or None when it is not, or no longer, listed."""
        return self.models.get((provider, model))

    @property
    def ids(self) -> dict[str, tuple[str, ...]]:
        """The models' ids by provider: what a scanner may name."""
        found: dict[str, tuple[str, ...]] = {}
        for provider, model in self.models:
            found[provider] = (*found.get(provider, ()), model)
        return found


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)  # asked for its size, a device says that it is empty
    if len(content) > LARGEST_FILE:
        raise BadCatalogue(f"it has more than {LARGEST_FILE} bytes")
    return content.decode().replace("\r\n", "\n")


def _models(document: dict[str, Any]) -> list[CatalogueModel]:
    listed = document.pop("model", None)
    if document:
        raise BadCatalogue(f"there is nothing called {', '.join(sorted(document))} in a catalogue, only [[model]]")
    if not isinstance(listed, list) or not listed:
        raise BadCatalogue("it lists no [[model]]")
    models: list[CatalogueModel] = []
    faults: list[str] = []
    for number, given in enumerate(listed, start=1):
        try:
            models.append(CatalogueModel.model_validate(given))
        except ValidationError as error:
            name = f"{given.get('id')}" if isinstance(given, dict) else ""
            faults += [f"model {number} ({name}): {_said(fault)}" for fault in error.errors(include_url=False)]
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS} faults more"] if len(faults) > MAX_FAULTS else []
        raise BadCatalogue("\n".join(faults[:MAX_FAULTS] + more))
    return models


def _said(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    text = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text
