"""The vendors' models, by pydantic-ai. Importing this takes seconds: only what asks a model does, at that moment."""

from __future__ import annotations

from anthropic import AsyncAnthropic
from google.genai.client import Client
from google.genai.types import HttpOptions, HttpRetryOptions
from openai import AsyncOpenAI
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings

from consumers.scanning.providers.models.access import Access
from consumers.scanning.providers.models.catalogue import CatalogueModel
from consumers.scanning.providers.models.wire import client
from consumers.scanning.providers.port import ProviderError

ADDRESSES = {
    "google": "https://generativelanguage.googleapis.com",
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}
"""Of the vendors, as in their SDKs; given explicitly, since the SDKs would look into the environment first."""


OUTPUT_TOKENS = 16_384
"""The longest answer, thoughts included: what pydantic-ai allows where it knows no limit. An answer takes some 500; the
rest bounds what a try can cost."""


def model(entry: CatalogueModel, access: Access) -> Model:
    """The model, ready to be asked by an Agent: no retries of the SDK's, and the access's times and sizes.

    It needs no closing, and may be used by several threads. Raises ProviderError (``provider_rejected``) when the
    vendor's key is not set, or there is no such vendor.
    """
    key = access.key()
    settings = _settings(entry, access)
    if entry.provider == "google":
        return _google(entry, access, key, settings)
    if entry.provider == "openai":
        return _openai(entry, access, key, settings)
    if entry.provider == "anthropic":
        anthropic = AsyncAnthropic(
            api_key=key, base_url=_address(access), max_retries=0, http_client=client(access), timeout=access.seconds
        )
        return AnthropicModel(entry.id, provider=AnthropicProvider(anthropic_client=anthropic), settings=settings)
    raise ProviderError("provider_rejected", f"There is no vendor '{entry.provider}'.")


def _settings(entry: CatalogueModel, access: Access) -> ModelSettings:
    settings = ModelSettings(max_retries=0, timeout=access.seconds, request_timeout=access.seconds)
    limit = OUTPUT_TOKENS if entry.context is None else min(OUTPUT_TOKENS, entry.context // 4)
    # A server of one's own whose context nobody has told may have a smaller one, and would refuse.
    if entry.context is not None or access.base_url is None or entry.provider != "openai":
        settings["max_tokens"] = limit
    return settings


def _google(entry: CatalogueModel, access: Access, key: str, settings: ModelSettings) -> Model:
    options = HttpOptions(
        base_url=_address(access),
        httpx_async_client=client(access),
        timeout=round(access.seconds * 1000),
        retry_options=HttpRetryOptions(attempts=1),
    )
    google = Client(vertexai=False, api_key=key, http_options=options)
    return GoogleModel(entry.id, provider=GoogleProvider(client=google), settings=settings)


def _openai(entry: CatalogueModel, access: Access, key: str, settings: ModelSettings) -> Model:
    openai = AsyncOpenAI(
        api_key=key, base_url=_address(access), max_retries=0, http_client=client(access), timeout=access.seconds
    )
    provider = (
        OpenAIProvider(openai_client=openai)
        if access.base_url is None
        else OpenAICompatibleProvider("openai", openai_client=openai)
    )
    api = entry.api or ("responses" if access.base_url is None else "chat")
    kind = OpenAIResponsesModel if api == "responses" else OpenAIChatModel
    return kind(entry.id, provider=provider, settings=settings)


def _address(access: Access) -> str:
    return access.base_url or ADDRESSES[access.provider]
