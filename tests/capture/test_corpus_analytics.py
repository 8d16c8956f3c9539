"""The analytics events of the whole corpus, where it is at hand: see test_corpus.py."""

import gzip
import json
import os
from pathlib import Path

import pytest

from consumers.capture.analytics.elements import elements_of
from consumers.capture.importer import import_files
from tests.capture.test_analytics_wire import read
from tests.capture.test_importer import Inbox
from tests.capture.traffic import NOW

CORPUS = os.environ.get("REPLAY_VISION_TEST_CORPUS")

pytestmark = pytest.mark.skipif(not CORPUS, reason="REPLAY_VISION_TEST_CORPUS names no folder of recordings")


@pytest.mark.parametrize("part", ["captures", "labelled"])
def test_the_analytics_events_of_every_session(part: str) -> None:
    """As the recording tool decoded them: none is missing, and what is told of each is what was sent."""
    for folder in sorted((Path(CORPUS or "") / part / "sessions").iterdir()):
        inbox = Inbox()
        list(import_files([folder], inbox, 1, NOW))
        found = {str(one.uuid): one for one in map(read, inbox.events)}
        decoded = folder / "capture_events.jsonl.gz"
        lines = gzip.decompress(decoded.read_bytes()).splitlines() if decoded.exists() else []
        wanted = {each["event"]["uuid"]: each["event"] for each in map(json.loads, lines)}
        assert set(found) == set(wanted), folder.name
        for uuid, one in found.items():
            sent = wanted[uuid]["properties"]
            assert (one.name, one.session_id) == (wanted[uuid]["event"], sent["$session_id"])
            assert one.properties.items() <= sent.items()
            assert ("$elements_chain" in sent) == (one.chain is not None)
            assert one.chain is None or elements_of(one.chain)
