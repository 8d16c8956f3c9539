"""Settings of delivery: where reports may go, and by which servers."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from consumers.delivery.mail_server import MailServer
from consumers.delivery.settings import SLACK_URL, DeliverySettings
from domain.delivery import check_address, check_webhook_url
from domain.errors import Invalid
from domain.outbound import AllowedHosts


class OutwardSettings(BaseSettings):
    """Part of `api.settings.Settings`. A password is in no repr and in no refusal."""

    slack_base_url: str = SLACK_URL
    webhook_allowed_hosts: Annotated[list[str], NoDecode] = []
    smtp_url: SecretStr | None = None
    mail_from: Annotated[str, Field(max_length=254)] | None = None

    @field_validator("slack_base_url")
    @classmethod
    def _of_the_api(cls, value: str) -> str:
        """Without the trailing slash."""
        try:
            AnyHttpUrl(value)
            check_webhook_url(value)
            usable = not {"?", "#"} & set(value) and bool(urlsplit(value).hostname)
        except (ValueError, Invalid):
            usable = False
        if not usable:
            message = "it is not of the form https://host or http://host:port/path, without a password or a query"
            raise ValueError(message)
        return value.rstrip("/")

    @field_validator("webhook_allowed_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        """Read once now, so that a mistake is not found by the first webhook."""
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, list):
            AllowedHosts.parse([str(part) for part in value])
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        """It holds a password, so the text of a refusal never repeats it."""
        if value is not None:
            MailServer.parse(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _address_of_sender(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                check_address(value)
            except Invalid:
                message = "it is not one e-mail address, such as reports@example.org"
                raise ValueError(message) from None
        return value

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        if (self.smtp_url is None) != (self.mail_from is None):
            prefix = self.model_config.get("env_prefix", "")
            message = f"{prefix}SMTP_URL and {prefix}MAIL_FROM must be set together"
            raise ValueError(message)
        return self

    @property
    def mail(self) -> bool:
        """Whether reports can go out by e-mail."""
        return self.smtp_url is not None

    @property
    def allowed_hosts(self) -> AllowedHosts:
        """Internal hosts that webhooks may reach."""
        return AllowedHosts.parse(self.webhook_allowed_hosts)

    @property
    def delivery(self) -> DeliverySettings:
        """What sending needs to know."""
        return DeliverySettings(
            slack_base_url=self.slack_base_url,
            allowed_hosts=self.allowed_hosts,
            mail_server=MailServer.parse(self.smtp_url.get_secret_value()) if self.smtp_url else None,
            mail_from=self.mail_from,
        )
