"""What the operator has set about delivery, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumers.delivery.mail_server import MailServer
from domain.outbound import AllowedHosts

SLACK_URL = "https://slack.com/api"
"""The vendor's own address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """As in the operator interface. `mail_server` and `mail_from` are both there or both None."""

    slack_base_url: str = SLACK_URL
    allowed_hosts: AllowedHosts = field(default_factory=AllowedHosts)
    mail_server: MailServer | None = None
    mail_from: str | None = None
