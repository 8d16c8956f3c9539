"""A scan sees what the site's analytics say of the session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest

from consumers.capture.analytics.event import to_message
from consumers.capture.analytics.handler import AnalyticsHandler
from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Answer, Question
from consumers.scanning.session_evidence import EVENTS_AT_ONCE
from consumers.transports.port import Outgoing, Record
from tests.capture.traffic import EXPECTED, posted, recorded_events
from tests.scanning.scans import RECORDING, SESSION, Scans, now

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.usefixtures("readable")


class Listening:
    """The built-in analyser, and what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Evidence] = []

    def analyse(self, question: Question, evidence: Evidence) -> Answer:
        self.shown.append(evidence)
        return BuiltinProvider().analyse(question, evidence)


def say(scans: Scans, messages: Sequence[Outgoing]) -> None:
    with scans.pool.connection() as connection, connection.transaction():
        handler = AnalyticsHandler(scans.blobs, lambda _connection, _token: 1, now)
        made = [
            Record("analytics", 0, place, one.key, one.value, one.all_headers(), now())
            for place, one in enumerate(messages)
        ]
        handler(connection, made)


def shown(scans: Scans) -> list[str]:
    listening = Listening()
    scans.providers = {"builtin": listening}
    scans.request(scans.scanner())
    assert scans.scanning.scan(scans.lease(), Event()) is None
    return [line.text for line in listening.shown[0].lines if line.kind == "event"]


def test_the_events_of_a_real_session_are_in_its_evidence(scans: Scans) -> None:
    say(scans, recorded_events(RECORDING))
    assert 'site event "order_placed", "order" "R-79662"' in shown(scans)


def test_events_are_read_in_pages(scans: Scans) -> None:
    began = datetime.fromtimestamp(EXPECTED[RECORDING]["min_first_timestamp"] / 1000, UTC)
    count = 2 * EVENTS_AT_ONCE + 3
    say(
        scans,
        [
            to_message(
                posted(
                    {
                        "event": f"event {n}",
                        "timestamp": (began + timedelta(milliseconds=10 * n)).isoformat(),
                        "properties": {"$session_id": SESSION, "distinct_id": "a", "token": "phc_any"},
                    }
                )
            )
            for n in range(count)
        ],
    )
    assert shown(scans) == [f'site event "event {n}"' for n in range(count)]


def test_the_visitors_address_is_stored_with_the_private_text(scans: Scans) -> None:
    """What the site's analytics told of the visitor, whatever the recording itself knows."""
    observation_id = scans.request(scans.scanner())
    distinct_id = EXPECTED[RECORDING]["distinct_ids"][0]
    said = {"distinct_id": "shopper", "$anon_distinct_id": distinct_id, "$set": {"email": "s@shop.example"}}
    message = to_message(posted({"event": "$identify", "properties": said}))
    record = Record("analytics", 0, 1, message.key, message.value, message.all_headers(), now())
    with scans.pool.connection() as connection, connection.transaction():
        AnalyticsHandler(scans.blobs, lambda _connection, _token: 1)(connection, [record])
    assert scans.scan() is None
    assert scans.last(observation_id)["type"] == "ObservationSucceeded"
    with scans.pool.connection() as connection:
        rows = connection.execute("SELECT body FROM store.private_text WHERE body ->> 'distinct_id' IS NOT NULL")
        assert [row[0] for row in rows] == [{"distinct_id": distinct_id, "email": "s@shop.example"}]
