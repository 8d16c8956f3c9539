"""What delivering asks for and gives back: one message, one target, one attempt (architecture 2, extensions "Actions").

Whoever holds the job of a delivery calls `Sender.send` and records what came of it. Nothing here knows of jobs, events
or tables, so an attempt can be repeated by anybody: what repeats carries the same id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID

from pydantic import JsonValue

Kind = Literal["replay_vision.digest", "replay_vision.alert_fired", "replay_vision.alert_resolved"]
Verdict = Literal["succeeded", "again", "abandon", "gone"]

EXCERPT_LENGTH = 1_000
"""Characters of an answer that an attempt keeps."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a run has to say. `id` is the run's id and the same in every attempt at every target.

    `data` is the mapping of the webhook's body (extensions "Actions"): vision_action_id, run_id, scanner_id,
    action_name, scanner_name, observation_count, report, run_url. `markdown` is the report, safe by
    `consumers.actions.report.markdown`: recorded text in it links nowhere.
    """

    id: UUID
    kind: Kind
    at: datetime
    data: Mapping[str, JsonValue]
    markdown: str


@dataclass(frozen=True, slots=True)
class SlackTarget:
    """`channel` as saved: a name, an id, or `id|name`. `token` is the bot token in clear."""

    channel: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """`secrets` are those of the environment that are alive, newest first; each signs (Standard Webhooks)."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EmailTarget:
    """One address: what one mailbox answers concerns no other, and nobody sees who else reads along."""

    to: str


Target = SlackTarget | WebhookTarget | EmailTarget


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt.

    `status_code` is that of HTTP or SMTP, None when nothing answered. `error` says in our own words what went wrong,
    None when it succeeded; `response_excerpt` begins the answer, without secrets and of EXCERPT_LENGTH characters at
    most. It is a stranger's text and may repeat the report, so it belongs with private text.

    `succeeded`: delivered. `again`: worth another attempt, not before `retry_after` seconds when there is a number.
    `abandon`: it would be refused again. `gone`: the endpoint wants nothing more, ever (410).
    """

    status_code: int | None
    duration_ms: int
    error: str | None
    response_excerpt: str
    verdict: Verdict
    retry_after: float | None = None


class Sender(Protocol):
    """Delivers to every kind of target. Safe to use from several threads."""

    def send(self, target: Target, message: Message, number: int, now: datetime) -> Attempt:
        """One attempt, the `number`th from 1. It ends within 60 s and raises nothing for what a peer does."""
        ...


class RetrySchedule(Protocol):
    """`consumers.delivery.retries.next_attempt`."""

    def __call__(self, number: int, retry_after: float | None, chance: float) -> timedelta | None:
        """How long to wait after the `number`th attempt failed; None when it was the last. `chance`: from 0 to 1."""
        ...
