"""The bytes of new batches: all safe before anything names them, whichever thread wrote them."""

from threading import Barrier

import pytest

from consumers.capture.digest import placing
from consumers.capture.digest.parts import Part, part_of
from consumers.capture.digest.placing import Placing
from consumers.capture.store.blobs import FolderBlobs
from tests.capture.traffic import ENVIRONMENT, Capture, click, snapshot


def parts_of(sessions: int, each: int) -> list[Part]:
    given = [(f"s-{number}", at) for number in range(sessions) for at in range(1, each + 1)]
    return [part_of(snapshot([click(at)], name, f"u{at}"), ENVIRONMENT) for name, at in given]


def test_several_sessions_are_written_at_the_same_time_and_placed_in_order(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Barrier(placing.AT_ONCE)
    put = FolderBlobs.put

    def slow(blobs: FolderBlobs, environment_id: int, session_id: str, data: bytes) -> str:
        together.wait(30)  # breaks unless so many are under way
        return put(blobs, environment_id, session_id, data)

    monkeypatch.setattr(FolderBlobs, "put", slow)
    parts = parts_of(placing.AT_ONCE, 3)
    with Placing(capture.blobs).begin(parts) as writing:
        placed = list(writing.placed({part.session for part in parts}))
    assert [one.part for one in placed] == parts
    for session in {part.session for part in parts}:
        blobs = {one.blob for one in placed if one.part.session == session}
        assert len(blobs) == 1, "one blob a session"
        assert blobs == set(capture.blobs.list(*session))


def test_a_failure_is_told_when_nothing_is_under_way_any_more(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def full(_blobs: FolderBlobs, _environment_id: int, session_id: str, _data: bytes) -> str:
        tried.append(session_id)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FolderBlobs, "put", full)
    messages = [snapshot([click(1)], f"s-{number}") for number in range(20)]
    with pytest.raises(OSError, match="No space"):
        capture.capture(*messages)
    assert len(tried) == 20
    assert capture.rows("SELECT * FROM capture.session") == []
