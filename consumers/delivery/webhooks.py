"""Webhooks by the Standard Webhooks specification: what is sent, and what an answer means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import orjson

from consumers.delivery.excerpts import excerpt
from consumers.delivery.guard import Guard
from consumers.delivery.http import Answered, Poster, Unanswered
from consumers.delivery.port import Attempt, Message, Verdict, WebhookTarget
from consumers.delivery.retries import SLOW_DOWN_SECONDS, asked_pause
from consumers.delivery.signing import signature_headers
from domain.outbound import NotAllowed
from domain.webhook_secret import PREFIX

GONE = 410
SLOW_DOWN = frozenset({429, 502, 504})
"""By the standard, signs of a receiver that has too much to do."""


class Webhooks:
    """Safe to use from several threads."""

    def __init__(self, guard: Guard, poster: Poster, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`poster` checks addresses by the same guard."""
        self._guard = guard
        self._poster = poster
        self._monotonic = monotonic

    def send(self, target: WebhookTarget, message: Message, now: datetime) -> Attempt:
        """One attempt. The id stays the same over all of them, the timestamp and so the signatures are this one's."""
        body = body_of(message)
        signed = signature_headers(str(message.id), now, body, target.secrets)
        began = self._monotonic()
        try:
            self._guard.check(target.url)
            answer = self._poster.post(target.url, {"Content-Type": "application/json", **signed}, body)
        except NotAllowed as error:
            return Attempt(None, self._since(began), str(error), "", "abandon")
        except Unanswered as error:
            return Attempt(None, self._since(began), str(error), "", "again")
        kept = excerpt(answer.body, _told(target, signed))
        error = None if _succeeded(answer) else _why(answer)
        retry_after = _pause(answer, now)
        return Attempt(answer.status, self._since(began), error, kept, _verdict(answer), retry_after)

    def _since(self, began: float) -> int:
        return round((self._monotonic() - began) * 1000)


def body_of(message: Message) -> bytes:
    """The body of extensions "Actions", the same bytes in every attempt."""
    at = message.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return orjson.dumps({"id": str(message.id), "type": message.kind, "timestamp": at, "data": dict(message.data)})


def _told(target: WebhookTarget, signed: Mapping[str, str]) -> list[str]:
    """What an echo must not put into the history: the secrets and what was made of them."""
    bare = [secret.removeprefix(PREFIX) for secret in target.secrets]
    signatures = [found.partition(",")[2] for found in signed.get("webhook-signature", "").split()]
    return [*target.secrets, *bare, *signatures]


def _verdict(answer: Answered) -> Verdict:
    """Only 2xx is a success. The rest is tried again, since a receiver can be mended, but for 410."""
    if _succeeded(answer):
        return "succeeded"
    return "gone" if answer.status == GONE else "again"


def _succeeded(answer: Answered) -> bool:
    return 200 <= answer.status < 300  # noqa: PLR2004 - the class of HTTP's successes


def _why(answer: Answered) -> str:
    if answer.status == GONE:
        return "The endpoint is gone (410)."
    if 300 <= answer.status < 400:  # noqa: PLR2004 - the class of HTTP's redirects
        return f"The endpoint redirects ({answer.status}), which is not followed."
    return f"The endpoint answered {answer.status}."


def _pause(answer: Answered, now: datetime) -> float | None:
    if _succeeded(answer):
        return None
    asked = asked_pause(answer.headers.get("retry-after"), now)
    return SLOW_DOWN_SECONDS if asked is None and answer.status in SLOW_DOWN else asked
