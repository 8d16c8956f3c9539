"""Which providers this installation has, and what each of them lacks."""

from __future__ import annotations

from collections.abc import Mapping

from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import BUILTIN


def lacking(vendors: Mapping[str, Access]) -> dict[str, str | None]:
    """Each provider, and the setting without which it cannot be asked."""
    return {BUILTIN: None, **{name: access.missing for name, access in vendors.items()}}
