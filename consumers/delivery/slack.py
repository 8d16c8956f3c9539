"""Slack: one chat.postMessage with the integration's bot token, and what its answer means.

By the vendor's description of the method: HTTP 200 carries `ok` and, when that is false, an error code; 429 carries
Retry-After. A message has no key by which the vendor would recognise a repeat; its metadata carries the run's id, so
that a reader can.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from consumers.delivery.excerpts import excerpt
from consumers.delivery.http import Answered, Poster, Unanswered
from consumers.delivery.port import Attempt, Message, SlackTarget, Verdict
from consumers.delivery.retries import SLOW_DOWN_SECONDS, asked_pause
from consumers.delivery.settings import SLACK_URL
from consumers.delivery.slack_blocks import blocks_of, summary_of

OK = 200
TOO_MANY = 429

PASSING = frozenset(
    {
        "fatal_error",
        "internal_error",
        "message_limit_exceeded",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "failed_for_some_reason",
    }
)
"""Codes of the method's description that pass by themselves. All others are about the token, the channel or the
message, and would be said again."""

_CODE = re.compile(r"[a-z0-9_.]{1,80}")


class Slack:
    """Safe to use from several threads. `base_url` is the vendor's, or REPLAY_VISION_SLACK_BASE_URL."""

    def __init__(
        self, poster: Poster, base_url: str = SLACK_URL, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._poster = poster
        self._url = f"{base_url.rstrip('/')}/chat.postMessage"
        self._monotonic = monotonic

    def send(self, target: SlackTarget, message: Message, now: datetime) -> Attempt:
        """One attempt. Raises nothing for what the vendor does."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {target.token}"}
        began = self._monotonic()
        try:
            answer = self._poster.post(self._url, headers, orjson.dumps(call_of(target, message)))
        except Unanswered as error:
            return Attempt(None, self._since(began), str(error), "", "again")
        kept = excerpt(answer.body, [target.token])
        verdict, error = _judged(answer)
        retry_after = None if verdict == "succeeded" else _pause(answer, now)
        return Attempt(answer.status, self._since(began), error, kept, verdict, retry_after)

    def _since(self, began: float) -> int:
        return round((self._monotonic() - began) * 1000)


def call_of(target: SlackTarget, message: Message) -> Mapping[str, Any]:
    """The arguments of the call. Nothing in the text is read as a mention, a name of a channel or a bare link."""
    return {
        "channel": target.channel.partition("|")[0],
        "text": summary_of(message),
        "blocks": blocks_of(message),
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": message.kind.replace(".", "_"), "event_payload": {"id": str(message.id)}},
    }


def _judged(answer: Answered) -> tuple[Verdict, str | None]:
    if answer.status != OK:
        return "again", f"Slack answered {answer.status}."
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        return "again", "Slack answered something other than its API does."
    if said.get("ok") is True:
        return "succeeded", None
    found = said.get("error")
    code = found if isinstance(found, str) and _CODE.fullmatch(found) else "unknown"
    return "again" if code in PASSING else "abandon", f"Slack refused the message: {code}."


def _pause(answer: Answered, now: datetime) -> float | None:
    asked = asked_pause(answer.headers.get("retry-after"), now)
    return SLOW_DOWN_SECONDS if asked is None and answer.status == TOO_MANY else asked
