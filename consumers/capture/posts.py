"""Bodies that browsers post at the same moment: each is read by itself, and all are published together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.capture.held import Publisher
from consumers.capture.wire import Accepted, EnvironmentOf
from consumers.transports.port import Outgoing, Unavailable


@dataclass(frozen=True, slots=True)
class Post:
    """What `accepting` (`wire.accept` or `wire.accept_rrweb`) is given."""

    accepting: Callable[..., Accepted]
    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]
    now: datetime
    environment_of: EnvironmentOf


def take(posts: Sequence[Post], publisher: Publisher) -> list[Accepted | Exception]:
    """What became of each post: taken, and durable; or the refusal, outage or fault that kept it from it.

    One call of the publisher for each topic, so that a commit or a broker's answer serves all. An outage is
    everybody's; what is wrong with the records of one post is told to no other: then each is published alone.
    """
    outcomes = [_read(post) for post in posts]
    waiting: dict[str, list[int]] = defaultdict(list)
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, Accepted):
            for topic in outcome.by_topic:
                waiting[topic].append(place)
    for topic, places in waiting.items():
        _publish(topic, places, outcomes, publisher)
    return outcomes


def _read(post: Post) -> Accepted | Exception:
    try:
        return post.accepting(post.body, post.headers, post.query, post.now, post.environment_of)
    except Exception as error:  # noqa: BLE001 - the answer to this post alone
        return error


def _publish(topic: str, places: Sequence[int], outcomes: list[Accepted | Exception], publisher: Publisher) -> None:
    """Puts an exception in the place of each post of which records of this topic are not durable."""
    found = {place: outcome.by_topic[topic] for place in places if isinstance(outcome := outcomes[place], Accepted)}
    if not found:
        return
    try:
        publisher.publish(topic, [record for records in found.values() for record in records])
    except Exception as error:  # noqa: BLE001 - told to those whose it is
        alone = len(found) == 1 or isinstance(error, Unavailable)
        for place, records in found.items():
            outcomes[place] = error if alone else _alone(topic, records, publisher) or outcomes[place]


def _alone(topic: str, records: Sequence[Outgoing], publisher: Publisher) -> Exception | None:
    try:
        publisher.publish(topic, records)
    except Exception as error:  # noqa: BLE001 - the answer to this post
        return error
    return None
