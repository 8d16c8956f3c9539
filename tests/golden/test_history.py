"""Every released history decodes and folds with the present code, and every event class is in one (architecture 4)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest

import tests.store.catalogue  # noqa: F401 - imports every event class
from commands.store.mapper import VERSION_KEY, EventMapper
from domain.event import EVENT_CLASSES, Event
from tests.golden.record import histories, state_of
from tests.spec.given import fold

FOLDER = Path(__file__).parent
HISTORIES = sorted(FOLDER.glob("v*.jsonl"))
MAPPER = EventMapper()


class Line(NamedTuple):
    stream_id: UUID
    version: int
    topic: str
    state: str

    @property
    def schema_version(self) -> int:
        return orjson.loads(self.state).get(VERSION_KEY, 1)

    def event(self) -> Event:
        return MAPPER.decode(self.stream_id, self.version, self.topic, self.state.encode())


def lines(history: Path) -> Iterator[Line]:
    for written in history.read_bytes().splitlines():
        line: dict[str, Any] = orjson.loads(written)
        yield Line(UUID(line["stream_id"]), line["version"], line["topic"], line["state"])


def folded(history: Path) -> dict[str, dict[str, Any]]:
    streams: dict[UUID, list[Event]] = {}
    for line in lines(history):
        streams.setdefault(line.stream_id, []).append(line.event())
    return {str(stream): state_of(fold(events)) for stream, events in streams.items()}


def test_version_1_is_there() -> None:
    assert FOLDER / "v1.jsonl" in HISTORIES


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.stem)
def test_a_released_history_folds_to_the_states_it_was_released_with(history: Path) -> None:
    """State that later releases have added is not compared; what was there must be there and be the same."""
    now = folded(history)
    released: dict[str, dict[str, Any]] = orjson.loads(history.with_suffix(".states.json").read_bytes())
    assert now.keys() == released.keys()
    for stream, state in released.items():
        assert {name: now[stream][name] for name in state} == state


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.stem)
def test_what_is_still_current_is_stored_byte_for_byte_as_it_was(history: Path) -> None:
    for line in lines(history):
        if line.schema_version == EVENT_CLASSES[line.topic].SCHEMA_VERSION:
            assert MAPPER.to_stored_event(line.event()).state.decode() == line.state


def test_every_event_class_is_golden_in_each_of_its_versions() -> None:
    """Fails for a new class or schema version: record.py says how to add it."""
    golden = {(line.topic, line.schema_version) for history in HISTORIES for line in lines(history)}
    needed = {
        (topic, version) for topic, each in EVENT_CLASSES.items() for version in range(1, each.SCHEMA_VERSION + 1)
    }
    assert needed == golden


def test_recording_again_gives_the_latest_history(tmp_path: Path) -> None:
    """The script works, so that the next version can be added; and it does not overwrite."""
    latest = HISTORIES[-1]
    recorded = [
        (event.TOPIC, MAPPER.to_stored_event(event).state.decode())
        for aggregate in histories()
        for event in aggregate.collect_events()
        if isinstance(event, Event)
    ]
    assert recorded == [(line.topic, line.state) for line in lines(latest)]
    number = latest.stem.removeprefix("v")
    script = [sys.executable, str(FOLDER / "record.py"), number]
    root = FOLDER.parents[1]
    again = subprocess.run(script, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)
    assert again.returncode != 0
    assert "FileExistsError" in again.stderr
