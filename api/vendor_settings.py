"""Settings of the model providers: keys, addresses, and the models that scanners may name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from consumers.scanning.providers.models.access import CALL_SECONDS, Access
from consumers.scanning.providers.models.catalogue import SHIPPED, VENDORS, BadCatalogue, Catalogue

_KEY = re.compile(r"[!-~]{1,4096}")
_HOST = re.compile(r"[\w.:-]*\w[\w.:-]*")


class VendorSettings(BaseSettings):
    """Part of `api.settings.Settings`. A key is in no repr and in no refusal."""

    google_api_key: SecretStr | None = None
    google_base_url: str | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    models_file: Path | None = None
    model_seconds: Annotated[float, Field(ge=1, le=1200)] = CALL_SECONDS
    answer_cache: Literal["on", "off"] = "on"

    @field_validator("google_api_key", "openai_api_key", "anthropic_api_key")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        """It is sent in a header."""
        if value is not None and not _KEY.fullmatch(value.get_secret_value()):
            message = "it is no key: letters, digits and signs of ASCII, without blanks and line breaks"
            raise ValueError(message)
        return value

    @field_validator("google_base_url", "openai_base_url", "anthropic_base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        """Without the trailing slash. A password has no place in it, so the text of a refusal never repeats it."""
        if value is None:
            return None
        try:
            AnyHttpUrl(value)
            parts = urlsplit(value)
            usable = (
                bool(_HOST.fullmatch(parts.hostname or ""))
                and parts.port != 0
                and not {"@", "?", "#", "\\"} & set(value)
                and not re.search(r"\s", value)
            )
        except ValueError:
            usable = False
        if not usable:
            message = "it is not of the form https://host or http://host:port/path, without a password or a query"
            raise ValueError(message)
        return value.rstrip("/")

    @field_validator("models_file")
    @classmethod
    def _catalogue(cls, value: Path | None) -> Path | None:
        """Read once now: a fault in it would stop the processes one by one."""
        if value is None:
            return None
        path = value.expanduser().absolute()
        try:
            Catalogue.read(path)
        except BadCatalogue as error:
            message = f"{path}: {'; '.join(str(error).splitlines())}"
            raise ValueError(message) from None
        return path

    def models(self) -> Catalogue:
        """What scanners may name. Raises BadCatalogue when the file has changed for the worse since the start."""
        return Catalogue.read(self.models_file or SHIPPED)

    @property
    def vendors(self) -> dict[str, Access]:
        """How each vendor's models are reached, also of those that have no key."""
        return {name: self._access(name) for name in VENDORS}

    def _access(self, provider: str) -> Access:
        key: SecretStr | None = getattr(self, f"{provider}_api_key")
        return Access(
            provider,
            api_key=key.get_secret_value() if key else None,
            base_url=getattr(self, f"{provider}_base_url"),
            seconds=self.model_seconds,
        )
