"""Every protocol there is, and how a test reaches a server that speaks it."""

from __future__ import annotations

from datetime import date

from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import CatalogueModel
from tests.servers.vendors.anthropic import Messages
from tests.servers.vendors.gemini import GenerateContent
from tests.servers.vendors.openai import ChatCompletions, Responses
from tests.servers.vendors.protocol import Protocol
from tests.servers.vendors.server import VendorServer

PROTOCOLS: tuple[Protocol, ...] = (GenerateContent(), Responses(), ChatCompletions(), Messages())

KEY = "sk-8472"


def entry(protocol: Protocol, **fields: object) -> CatalogueModel:
    """The protocol's model, at one dollar per million tokens in, a tenth from the cache, and ten out."""
    given = {
        "provider": protocol.provider,
        "id": protocol.model,
        "api": "responses" if isinstance(protocol, Responses) else None,
        "prices": [{"input": "1", "cached_input": "0.1", "output": "10"}],
        "priced_on": date(2026, 11, 27),
        "source": "made up",
        **fields,
    }
    return CatalogueModel.model_validate(given)


def access(protocol: Protocol, server: VendorServer, seconds: float = 20.0, answer_bytes: int = 1_000_000) -> Access:
    return Access(protocol.provider, KEY, server.url + protocol.below, seconds, answer_bytes)
