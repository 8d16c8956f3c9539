"""A recorded session in the log: its deletion, which is its only event."""

from domain.ids import recording_stream
from domain.recording import Recording, SessionDeleted
from tests.spec.given import STAMP, fact, given


def test_a_deletion_is_the_whole_stream() -> None:
    recording = (
        given(Recording).when(lambda _: Recording.delete(7, "s-1", STAMP)).then(fact(SessionDeleted, session_id="s-1"))
    )
    assert recording.id == recording_stream(7, "s-1")
    assert recording.session_id == "s-1"


def test_the_same_session_of_another_environment_is_another_one() -> None:
    streams = {recording_stream(7, "s-1"), recording_stream(8, "s-1"), recording_stream(7, "S-1")}
    assert len(streams) == 3
