"""Which providers an installation has, and what each of them lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import BUILTIN, Catalogue, CatalogueModel
from consumers.scanning.providers.models.provider import ModelProvider
from consumers.scanning.providers.port import Provider

if TYPE_CHECKING:
    from pydantic_ai.models import Model


def lacking(vendors: Mapping[str, Access]) -> dict[str, str | None]:
    """Each provider, and the setting without which it cannot be asked."""
    return {BUILTIN: None, **{name: access.missing for name, access in vendors.items()}}


def providers(models: Catalogue, vendors: Mapping[str, Access]) -> dict[str, Provider]:
    """All of them. Those that lack something refuse when they are asked."""
    return {BUILTIN: BuiltinProvider(), **{name: vendor(models, access) for name, access in vendors.items()}}


def vendor(models: Catalogue, access: Access) -> Provider:
    """The provider that asks one vendor's models. An SDK is imported when the first is asked, and models are kept."""
    made: dict[str, Model] = {}

    def find(model: str) -> CatalogueModel | None:
        access.key()  # before seconds are spent on imports
        return models.find(access.provider, model)

    def ready(entry: CatalogueModel) -> Model:
        if entry.id not in made:
            from consumers.scanning.providers.models import vendors  # noqa: PLC0415 - takes seconds

            made[entry.id] = vendors.model(entry, access)
        return made[entry.id]

    return ModelProvider(access.provider, find, ready)
