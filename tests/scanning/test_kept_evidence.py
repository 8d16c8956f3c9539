"""What observations were judged by is kept as it was, and goes with the recording."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import pytest

from consumers.capture.ending import leftovers, retention
from consumers.capture.ending.erasing import Eraser
from consumers.capture.ending.settler import settle
from consumers.scanning.evidence import Evidence, Signal
from consumers.scanning.kept_evidence import Kept, KeptEvidence, PastEvidence
from consumers.scanning.session_evidence import evidence_of
from consumers.scanning.timelines import BlobsAway, Timelines
from domain.tenant import Tenant
from tests.capture.test_erasing import event, hear
from tests.scanning.scans import SESSION, TENANT, Scans, now

pytestmark = pytest.mark.usefixtures("readable")

_ENVIRONMENT = """
INSERT INTO read_accounts.environment (id, organization_id, name, timezone, project_token, created_at)
VALUES (1, %s, 'Web', 'UTC', 'phc_1', now())
"""


def scanned(scans: Scans) -> str:
    """The digest of what a new scanner judged by."""
    observation_id: UUID = scans.request(scans.scanner())
    assert scans.scan() is None
    return scans.last(observation_id)["evidence_digest"]


def past(scans: Scans, digest: str, tenant: Tenant = TENANT) -> Kept | None:
    timelines = Timelines(scans.pool, scans.blobs, now)
    return PastEvidence(scans.pool, scans.blobs, timelines, now).of(tenant, SESSION, digest)


def kept_blobs(scans: Scans) -> list[str]:
    with scans.pool.connection() as connection:
        return [row[0] for row in connection.execute("SELECT blob FROM scanning.evidence ORDER BY kept_at")]


def file_of(scans: Scans, key: str) -> Path:
    return scans.folder / key


def built(scans: Scans) -> Evidence:
    with scans.pool.connection() as connection:
        return evidence_of(connection, scans.blobs, TENANT, SESSION)


def earlier(scans: Scans) -> Evidence:
    """As another version of ours would have judged the same recording."""
    text = "Session, as it was told once.\n[  3s] something\n"
    return replace(built(scans), text=text, digest=hashlib.sha256(text.encode()).hexdigest())


@pytest.fixture
def keep(scans: Scans) -> Callable[[Evidence], None]:
    def keep(evidence: Evidence) -> None:
        KeptEvidence(scans.pool, scans.blobs, now).keep(TENANT, SESSION, evidence)

    return keep


def test_a_scan_keeps_its_evidence_once(scans: Scans) -> None:
    digest = scanned(scans)
    assert scanned(scans) == digest
    (key,) = kept_blobs(scans)
    assert key in set(scans.blobs.list(TENANT.environment_id, SESSION)), "it is among the session's blobs"
    found = past(scans, digest)
    evidence = built(scans)
    assert found is not None
    assert found == Kept(digest, evidence.text, evidence.lines, evidence.signals)
    assert hashlib.sha256(found.text.encode()).hexdigest() == digest
    assert len(scans.blobs.get(key)) < len(evidence.text), "packed, with its lines and signals"


def test_a_scan_that_fails_keeps_none(scans: Scans) -> None:
    scans.request(scans.scanner(provider="google", model="g"))
    assert scans.scan() is None
    assert kept_blobs(scans) == []


def test_what_an_earlier_version_judged_by_is_shown_as_it_was(scans: Scans, keep: Callable[[Evidence], None]) -> None:
    evidence = earlier(scans)
    keep(evidence)
    found = past(scans, evidence.digest)
    assert found is not None
    assert found.text == evidence.text
    assert past(scans, "0" * 64) is None
    file_of(scans, kept_blobs(scans)[0]).unlink()
    assert past(scans, evidence.digest) is None, "this version tells it in another way"


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"junk")])
def test_what_was_not_kept_is_made_from_the_recording_if_that_gives_the_same(
    scans: Scans, damage: Callable[[Path], object]
) -> None:
    digest = scanned(scans)
    first = past(scans, digest)
    damage(file_of(scans, kept_blobs(scans)[0]))
    assert past(scans, digest) == first
    with scans.pool.connection() as connection:
        connection.execute("DELETE FROM scanning.evidence")
    assert past(scans, digest) == first


def test_no_name_on_a_page_keeps_evidence_from_being_kept(scans: Scans, keep: Callable[[Evidence], None]) -> None:
    evidence = earlier(scans)
    keep(replace(evidence, signals=(Signal("dead_click", 1, 2, "click \ud800 did nothing", subject="\udfff"),)))
    found = past(scans, evidence.digest)
    assert found is not None
    assert found.signals[0].text == "click \N{REPLACEMENT CHARACTER} did nothing"


def test_a_text_with_another_digest_is_not_shown(scans: Scans, keep: Callable[[Evidence], None]) -> None:
    evidence = earlier(scans)
    keep(replace(evidence, text=evidence.text + "[  4s] forged\n"))
    assert past(scans, evidence.digest) is None


def test_a_blob_store_that_is_away_costs_no_answer_and_a_reader_is_told_to_wait(
    scans: Scans, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(type(scans.blobs)):
        def put(self, environment_id: int, session_id: str, data: bytes) -> str:
            raise OSError(28, "No space left on device")

    whole, scans.blobs = scans.blobs, Full(scans.folder)
    with caplog.at_level(logging.WARNING):
        digest = scanned(scans)
    assert "evidence is not kept" in caplog.text
    assert kept_blobs(scans) == []
    assert past(scans, digest) is not None
    scans.blobs = whole
    assert scanned(scans) == digest
    (key,) = kept_blobs(scans)
    file_of(scans, key).unlink()
    file_of(scans, key).mkdir()
    with pytest.raises(BlobsAway):
        past(scans, digest)


def test_no_other_environment_is_shown_it(scans: Scans) -> None:
    digest = scanned(scans)
    other = Tenant(2, TENANT.organization_id)
    assert past(scans, digest, other) is None
    with scans.pool.connection() as connection:
        connection.execute(
            "INSERT INTO capture.session (environment_id, session_id, last_received_at) VALUES (2, %s, now())",
            (SESSION,),
        )
    assert past(scans, digest, other) is None


# --- its end --------------------------------------------------------------------------------------------------------


def test_it_goes_with_a_deleted_session_and_none_comes_after(scans: Scans, keep: Callable[[Evidence], None]) -> None:
    digest, late = scanned(scans), earlier(scans)
    hear(scans.pool, event(SESSION))
    assert Eraser(scans.pool, scans.blobs, Event(), now).work(Event())
    assert kept_blobs(scans) == []
    keep(late)
    assert kept_blobs(scans) == []
    assert list(scans.blobs.list(TENANT.environment_id, SESSION)) == []
    assert past(scans, digest) is None


def test_whoever_erases_waits_for_a_blob_that_is_on_its_way(scans: Scans) -> None:
    """Or the blob would come after the look into the session's folder, and stay."""
    began, go_on = Event(), Event()

    class Slow(type(scans.blobs)):
        def put(self, environment_id: int, session_id: str, data: bytes) -> str:
            began.set()
            assert go_on.wait(20)
            return super().put(environment_id, session_id, data)

    slow = KeptEvidence(scans.pool, Slow(scans.folder), now)
    keeping = Thread(target=slow.keep, args=(TENANT, SESSION, earlier(scans)))
    keeping.start()
    assert began.wait(20)
    hear(scans.pool, event(SESSION))
    erasing = Thread(target=Eraser(scans.pool, scans.blobs, Event(), now).work, args=(Event(),))
    erasing.start()
    erasing.join(0.5)
    assert erasing.is_alive()
    go_on.set()
    for thread in (keeping, erasing):
        thread.join(20)
    assert list(scans.blobs.list(TENANT.environment_id, SESSION)) == []
    assert kept_blobs(scans) == []


def test_it_goes_at_the_end_of_the_retention(scans: Scans) -> None:
    digest = scanned(scans)
    with scans.pool.connection() as connection:
        settle(connection, now() + timedelta(hours=1), 0)
        connection.execute(_ENVIRONMENT, (TENANT.organization_id,))
        connection.execute("UPDATE capture.session SET last_received_at = %s", (now() - timedelta(days=31),))
    assert past(scans, digest) is None, "at once"
    assert retention.Retention(scans.pool, scans.blobs, now).run() is None
    assert kept_blobs(scans) == []
    assert list(scans.blobs.list(TENANT.environment_id, SESSION)) == []


def test_the_search_for_leftover_blobs_leaves_it(scans: Scans) -> None:
    scanned(scans)
    blobs = set(scans.blobs.list(TENANT.environment_id, SESSION))
    long_ago = (now() - timedelta(days=20)).timestamp()
    for key in blobs:
        os.utime(file_of(scans, key), (long_ago, long_ago))
    removed = list(leftovers.search_leftovers(scans.pool, scans.blobs, TENANT.environment_id, 30, now()))
    assert [dict(counts) for counts in removed] == [{"leftover blobs": 0}, {"leftover blobs": 0}]
    assert set(scans.blobs.list(TENANT.environment_id, SESSION)) == blobs
