"""Every kind of target behind the one port."""

from __future__ import annotations

from datetime import datetime

from consumers.delivery.guard import Guard, Resolve, Unguarded, resolve
from consumers.delivery.http import Poster
from consumers.delivery.mail import Mail
from consumers.delivery.port import Attempt, EmailTarget, Message, SlackTarget, Target, WebhookTarget
from consumers.delivery.settings import DeliverySettings
from consumers.delivery.slack import Slack
from consumers.delivery.webhooks import Webhooks


class Sending:
    """The `Sender` of the product. Holds no connection, so there is nothing to close."""

    def __init__(self, settings: DeliverySettings, resolver: Resolve = resolve) -> None:
        guard = Guard(settings.allowed_hosts, resolver)
        self._webhooks = Webhooks(guard, Poster(guard))
        self._slack = Slack(Poster(Unguarded(resolver)), settings.slack_base_url)
        self._mail = (
            Mail(settings.mail_server, settings.mail_from) if settings.mail_server and settings.mail_from else None
        )

    def send(self, target: Target, message: Message, number: int, now: datetime) -> Attempt:
        """`consumers.delivery.port.Sender`. `number` changes nothing of what is sent."""
        del number
        match target:
            case WebhookTarget():
                return self._webhooks.send(target, message, now)
            case SlackTarget():
                return self._slack.send(target, message, now)
            case EmailTarget():
                if self._mail is None:
                    return Attempt(None, 0, "This server cannot send e-mail.", "", "abandon")
                return self._mail.send(target, message)
