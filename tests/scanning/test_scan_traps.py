"""Traps of the life of an observation that only a worker shows (engine 10)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from threading import Event

import pytest

from commands.store.event_log import EventLog
from consumers.capture.store.blobs import FolderBlobs
from consumers.scanning.evidence import Evidence
from consumers.scanning.providers.builtin import BuiltinProvider
from consumers.scanning.providers.port import Answer, Question
from tests.scanning.scans import SESSION, TENANT, Scans

pytestmark = pytest.mark.usefixtures("readable")


@pytest.mark.rule("trap/1", "trap/2", "5/in-progress")
def test_a_request_that_is_repeated_is_worked_on_once(scans: Scans) -> None:
    """The answer to the first one was lost on its way."""
    scanner = scans.scanner()
    (first,) = scans.observations.request(scans.context(), scanner, [SESSION], "on_demand")
    (again,) = scans.observations.request(scans.context(), scanner, [SESSION], "on_demand")
    assert (again.outcome, again.observation_id) == ("exists", first.observation_id)
    scans.hear()
    assert scans.scan() is None
    assert scans.last(first.observation_id)["type"] == "ObservationSucceeded"
    scans.observations.request(scans.context(), scanner, [SESSION], "on_demand")
    scans.hear()
    with scans.pool.connection() as connection:
        found = [one.event for one in EventLog().read(connection, 0, 1000)]
        assert connection.execute("SELECT count(*) FROM scanning.job").fetchone() == (1,)
    assert [event.TOPIC for event in found if event.originator_id == first.observation_id] == [
        "ObservationRequested",
        "ScanStarted",
        "ObservationSucceeded",
    ]


@pytest.mark.rule("4.1/too-short", "4.1/too-inactive", "4.1/too-long", "5/unscannable", "10/17")
@pytest.mark.parametrize(
    ("column", "milliseconds", "kind"),
    [
        ("last_timestamp = first_timestamp +", 14_999, "too_short"),
        ("active_milliseconds =", 9_999, "too_inactive"),
        ("active_milliseconds =", 3_600_001, "too_long"),
    ],
)
def test_a_session_that_cannot_be_scanned_ends_ineligible(
    scans: Scans, column: str, milliseconds: int, kind: str
) -> None:
    with scans.pool.connection() as connection:
        connection.execute(f"UPDATE capture.session SET {column} {milliseconds}".encode())
    observation_id = scans.request(scans.scanner())
    assert scans.scanning.scan(scans.lease(), Event()) is None
    event = scans.last(observation_id)
    assert (event["type"], event["kind"]) == ("ObservationIneligible", kind)
    with scans.pool.connection() as connection:
        assert connection.execute("SELECT sum(used) FROM store.quota_usage").fetchone() == (0,), "and costs nothing"


def delete_session(scans: Scans) -> None:
    with scans.pool.connection() as connection:
        connection.execute(
            "INSERT INTO read_recordings.deleted_session VALUES (%s, %s, now()) ON CONFLICT DO NOTHING",
            (TENANT.environment_id, SESSION),
        )


class DeletedWhileRead(FolderBlobs):
    """The session is deleted and erased between the scan's look at it and the reading of its first part."""

    scans: Scans

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        delete_session(self.scans)
        self.delete(key)
        return super().get(key, offset, length)


@pytest.mark.rule("sessions/delete-observations")
def test_a_scan_of_a_session_that_is_deleted_meanwhile_ends_ineligible(scans: Scans) -> None:
    observation_id = scans.request(scans.scanner())
    blobs = DeletedWhileRead(scans.folder)
    blobs.scans = scans
    scans.blobs = blobs
    assert scans.scan() is None
    ending = scans.last(observation_id)
    assert (ending["type"], ending["kind"]) == ("ObservationIneligible", "no_recording")


@pytest.mark.rule("sessions/delete-observations")
def test_what_was_said_of_a_session_that_was_deleted_meanwhile_is_not_stored(scans: Scans) -> None:
    class Deleting(BuiltinProvider):
        def analyse(self, question: Question, evidence: Evidence) -> Answer:
            delete_session(scans)
            paid = {"input_tokens": 1200, "cost_usd": Decimal("0.0125"), "requests": 1}
            return replace(super().analyse(question, evidence), **paid)

    observation_id = scans.request(scans.scanner())
    scans.providers = {"builtin": Deleting()}
    assert scans.scan() is None
    ending = scans.last(observation_id)
    assert (ending["type"], ending["kind"]) == ("ObservationIneligible", "no_recording")
    assert (ending["requests"], ending["input_tokens"], ending["cost_usd"]) == (1, 1200, Decimal("0.0125"))
