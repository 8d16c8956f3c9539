"""Bodies that browsers post at the same moment: each is read by itself, and all are published together."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.capture.messages.held import Publisher, content_bytes
from consumers.capture.posting.posted import Accepted, EnvironmentOf
from consumers.capture.wire.refusals import CaptureRefused, forget
from consumers.transports.port import Outgoing, Unavailable

BYTES_IN_HAND = 16 * 1024 * 1024
"""Of messages that are read and not published yet: a post of 200 KB can be 60 MB of them, and thirty come together."""

SECONDS = 1.0
"""Of reading, after which those who are not read yet go into another batch: thirty hostile posts take a minute, and
whoever came among them would wait for all of it."""


@dataclass(frozen=True, slots=True)
class Post:
    """What `accepting` (`wire.accept` or `wire.accept_rrweb`) is given."""

    accepting: Callable[..., Accepted]
    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]
    now: datetime
    environment_of: EnvironmentOf


@dataclass(frozen=True, slots=True)
class Taken:
    """What is durable of a post, without what it holds: `bytes` of messages by environment, the rest as in Accepted."""

    bytes: Mapping[int, int]
    snapshots: int
    events: int
    refused: tuple[CaptureRefused, ...]


def take(posts: Sequence[Post | Accepted], publisher: Publisher) -> list[Taken | Exception]:
    """What became of each post: taken, and durable; or the refusal, outage or fault that kept it from it.

    A post that is read already (at_once) is given as what was found in it.

    One call of the publisher for each topic, so that a commit or a broker's answer serves all; one more whenever
    BYTES_IN_HAND are read. An outage is everybody's; what is wrong with the records of one post is told to no other:
    then each is published alone. After SECONDS, what became of the first ones only, at least of one.
    """
    until = time.monotonic() + SECONDS
    outcomes: list[Taken | Exception] = []
    waiting: dict[int, Accepted] = {}
    size = 0
    for place, post in enumerate(posts):
        if place and time.monotonic() > until:
            break
        found = post if isinstance(post, Accepted) else _read(post)
        if isinstance(found, Exception):
            outcomes.append(found)
            continue
        taken = _taken(found)
        outcomes.append(taken)
        waiting[place] = found
        size += sum(taken.bytes.values())
        if size > BYTES_IN_HAND:
            _publish_all(waiting, outcomes, publisher)
            waiting, size = {}, 0
    _publish_all(waiting, outcomes, publisher)
    return outcomes


def _read(post: Post) -> Accepted | Exception:
    try:
        found = post.accepting(post.body, post.headers, post.query, post.now, post.environment_of)
    except Exception as error:  # noqa: BLE001 - the answer to this post alone
        forget(error)
        return error
    for refused in found.refused:
        forget(refused)
    return found


def _taken(found: Accepted) -> Taken:
    size: dict[int, int] = {}
    for message in (*found.messages, *found.analytics):
        environment_id = int(message.headers["environment_id"])
        size[environment_id] = size.get(environment_id, 0) + content_bytes(message)
    return Taken(size, found.snapshots, found.events, found.refused)


def _publish_all(found: Mapping[int, Accepted], outcomes: list[Taken | Exception], publisher: Publisher) -> None:
    """Puts an exception in the place of each post of which not all is durable."""
    by_topic: dict[str, dict[int, Sequence[Outgoing]]] = defaultdict(dict)
    for place, accepted in found.items():
        for topic, records in accepted.by_topic.items():
            by_topic[topic][place] = records
    for topic, records in by_topic.items():
        still = {place: each for place, each in records.items() if not isinstance(outcomes[place], Exception)}
        if still:
            _publish(topic, still, outcomes, publisher)


def _publish(
    topic: str,
    found: Mapping[int, Sequence[Outgoing]],
    outcomes: list[Taken | Exception],
    publisher: Publisher,
) -> None:
    try:
        publisher.publish(topic, [record for records in found.values() for record in records])
    except Exception as error:  # noqa: BLE001 - told to those whose it is
        away = isinstance(error, Unavailable)
        forget(error, told=away)  # by its message, which is all that there is to say
        alone = len(found) == 1 or away
        for place, records in found.items():
            outcomes[place] = error if alone else _alone(topic, records, publisher) or outcomes[place]


def _alone(topic: str, records: Sequence[Outgoing], publisher: Publisher) -> Exception | None:
    try:
        publisher.publish(topic, records)
    except Exception as error:  # noqa: BLE001 - the answer to this post
        forget(error, told=isinstance(error, Unavailable))
        return error
    return None
