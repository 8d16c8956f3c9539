"""The secret by which the receiver of a webhook knows that it comes from here (Standard Webhooks).

An environment has up to MOST_ALIVE of them, and a webhook is signed with each: so a receiver can change from one to
another while nothing is refused.
"""

from __future__ import annotations

from typing import Self
from uuid import UUID

from domain.errors import NotFound
from domain.event import Aggregate, Event, FirstEvent, Stamp, TextRef, stored
from domain.ids import webhook_secret_stream

MOST_ALIVE = 3
"""Secrets of one environment (extensions "Actions")."""

SECRET_BYTES = 32
"""Random bytes of one; the standard asks for 24 to 64."""

PREFIX = "whsec_"


@stored
class WebhookSecretCreated(FirstEvent):
    """`secret` refers to the sealed secret, which lies beside the log and goes when it is retired."""

    TOPIC = "WebhookSecretCreated"
    secret_id: int
    secret: TextRef

    def apply(self, aggregate: WebhookSecret) -> None:
        aggregate.secret_id = self.secret_id
        aggregate.sealed_id = self.secret.id


@stored
class WebhookSecretRetired(Event):
    TOPIC = "WebhookSecretRetired"
    secret_id: int

    def apply(self, aggregate: WebhookSecret) -> None:
        aggregate.retired = True


@stored
class WebhookSecret(Aggregate):
    TOPIC = "webhook_secret"

    def __init__(self) -> None:
        self.secret_id = 0
        self.sealed_id = UUID(int=0)
        self.retired = False

    @classmethod
    def create(cls, secret_id: int, stamp: Stamp, *, secret: TextRef) -> Self:
        stream = webhook_secret_stream(secret_id)
        return cls._begin(WebhookSecretCreated, stream, stamp, secret_id=secret_id, secret=secret)

    def retire(self, stamp: Stamp) -> None:
        """Raises NotFound when it is already retired."""
        if self.retired:
            raise NotFound
        self._record(WebhookSecretRetired, stamp, secret_id=self.secret_id)
