"""Writes the schemas of docs/topics from the code: `make topics`.

A schema of an event version that is no longer written stays as it is: such events are in the log, and come again with
every new copy of it. Files are added and replaced here, never removed.
"""

from __future__ import annotations

import json
from pathlib import Path

import tests.store.catalogue  # noqa: F401 - imports every event class
from domain.event import EVENT_CLASSES
from tests.topics.event_schemas import Schema, envelope, event_schema, file_of
from tests.topics.other_schemas import analytics_schema, signal_schema, snapshot_schema, tick_schema

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "topics"
SUFFIX = ".schema.json"


def versions() -> list[tuple[str, int]]:
    """Every event type in each version that a log may hold."""
    return [(topic, version) for topic, each in EVENT_CLASSES.items() for version in range(1, each.SCHEMA_VERSION + 1)]


def documents() -> dict[str, Schema]:
    """What this release writes, by file in docs/topics."""
    present = {file_of(topic, each.SCHEMA_VERSION): event_schema(each) for topic, each in EVENT_CLASSES.items()}
    return {
        **present,
        f"events{SUFFIX}": envelope(versions()),
        f"ticks{SUFFIX}": tick_schema(),
        f"snapshots{SUFFIX}": snapshot_schema(),
        f"analytics{SUFFIX}": analytics_schema(),
        f"signals{SUFFIX}": signal_schema(),
    }


def text_of(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for name, schema in documents().items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(schema), encoding="utf-8")


if __name__ == "__main__":
    main()
