"""How this installation reaches a vendor's models: its key, its address, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.scanning.providers.port import ProviderError

CALL_SECONDS = 600.0
"""A request to a model and its whole answer: what the SDKs of OpenAI and Anthropic wait by default, and half of what
the reference product gives a call that has a video to watch (engine 1.3, step 6)."""

CONNECT_SECONDS = 10.0
"""Until a connection stands. The SDKs wait 5; name servers are sometimes slower."""

ANSWER_BYTES = 16_000_000
"""Largest body of an answer. The longest that a model writes (128,000 tokens) has some 600 kB of text."""


@dataclass(frozen=True, slots=True)
class Access:
    """Of one vendor. The key is in no repr."""

    provider: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    """None: the vendor's own address."""
    seconds: float = CALL_SECONDS
    answer_bytes: int = ANSWER_BYTES

    @property
    def missing(self) -> str | None:
        """The setting without which no model of the vendor can be asked; None when there is what it takes.

        Servers that speak OpenAI's protocol on one's own machines often want no key.
        """
        if self.api_key or (self.provider == "openai" and self.base_url):
            return None
        return f"REPLAY_VISION_{self.provider.upper()}_API_KEY"

    def key(self) -> str:
        """The key to send. Raises ProviderError (``provider_rejected``) when it is missing."""
        if self.missing:
            raise ProviderError("provider_rejected", f"{self.missing} is not set on this server.")
        return self.api_key or "none"
