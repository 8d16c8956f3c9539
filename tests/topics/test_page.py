"""docs/topics.md tells the truth: its names, headers, limits and examples are those of the code."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

import api.roles
from api.roles import TOPIC_OF
from commands.store.mapper import STATE_LIMIT
from consumers.capture.messages.snapshot import GZIP_FROM_BYTES, MAX_MESSAGE_BYTES, MAX_PLAIN_BYTES, SPLIT_AT_BYTES
from consumers.capture.posting.posted import TOPICS
from consumers.scheduler import TOPIC as TICK_TOPIC
from consumers.transports.port import MAX_HEADER_BYTES, MAX_HEADERS, MAX_KEY_BYTES, Record
from consumers.transports.settings import LogSettings
from tests.readme.blocks import FENCE
from tests.topics.conftest import Wire
from tests.topics.event_schemas import file_of
from tests.topics.generate import versions
from tests.topics.messages import ROOT, value_of
from tests.topics.validating import problems

PAGE = (ROOT / "docs" / "topics.md").read_text(encoding="utf-8")
ROOMS = ("api", "commands", "consumers", "projections")
SECTION = re.compile(r"^## `vision\.(?P<topic>\w+)`\n(?P<text>.*?)(?=^## )", re.MULTILINE | re.DOTALL)
SECTIONS = {match["topic"]: match["text"] for match in SECTION.finditer(PAGE)}
KAFKA_LOADS = pytest.mark.filterwarnings("ignore:.* is deprecated. Use files:DeprecationWarning")
"""kafka-python reads its own resources in a way that newer Pythons warn of."""
MOST_BESIDE_DATA = 2048
"""Bytes of an event's record beside its data; the longest tick has half as many."""


PASSING_ON = (
    "consumers.transports.",
    "consumers.capture.messages.held",
    "consumers.capture.together",
    "api.http.routes.capture.posting",
)


def test_every_topic_that_is_written_has_a_section() -> None:
    assert set(SECTIONS) == set(_published_topics())
    assert all(f"[`{LogSettings().prefix}{topic}`](#vision{topic})" in PAGE for topic in SECTIONS)


def test_every_group_that_reads_a_topic_is_named_in_its_section() -> None:
    groups = list(_consuming_groups())
    assert {topic for _, topic in groups} == set(SECTIONS) - {"signals"}  # which is for others
    assert [pair for pair in groups if f"`{pair[0]}`" not in SECTIONS[pair[1]]] == []


@pytest.mark.parametrize("topic", SECTIONS)
def test_the_headers_are_those_of_real_records(wire: Wire, topic: str) -> None:
    told = _rows(SECTIONS[topic], "header")
    written = {name for record in wire[topic] for name in record.headers}
    assert {name.strip("`") for name, _ in told} == written
    assert len(told) == len(written)


@pytest.mark.parametrize("topic", SECTIONS)
def test_the_example_fits_its_schema(topic: str) -> None:
    (example,) = [match["body"] for match in FENCE.finditer(SECTIONS[topic]) if match["info"] == "json"]
    assert problems(topic, json.loads(example), strict=True) == []


def test_every_event_is_listed_with_its_schema() -> None:
    """In all its versions, and each once."""
    listed = re.findall(r"\[(\w+) (\d+)\]\(topics/(events/[^)]+)\)", SECTIONS["events"])
    assert sorted(listed) == sorted((topic, str(version), file_of(topic, version)) for topic, version in versions())


def test_the_limits_are_those_of_the_code() -> None:
    limits = dict(_rows(PAGE, "limit"))
    settings = LogSettings()
    assert limits["partitions of a topic"] == str(settings.partitions)
    assert settings.retention == timedelta(days=7)
    assert limits["retention"].startswith("7 days,")
    assert limits["data of an event"].startswith(f"{STATE_LIMIT} bytes;")
    assert limits["data of an event"].endswith(f"less than {MOST_BESIDE_DATA}")
    assert limits["value of a snapshot"] == f"{MAX_MESSAGE_BYTES} bytes as sent, {MAX_PLAIN_BYTES} unzipped"
    assert limits["key"] == f"{MAX_KEY_BYTES} bytes"
    assert limits["headers"] == f"{MAX_HEADERS} of them, {MAX_HEADER_BYTES} bytes together"
    assert f"{SPLIT_AT_BYTES} bytes of items" in SECTIONS["snapshots"].replace("\n  ", " ")
    assert f"when it has {GZIP_FROM_BYTES} bytes or more" in SECTIONS["snapshots"].replace("\n", " ")
    ticks = api.roles.ticks(settle_seconds=2100, sweep_seconds=300)
    assert f"`settle` every {ticks['settle']:g} s" in SECTIONS[TICK_TOPIC]
    assert f"`estimate` every {ticks['estimate']:g} s" in SECTIONS[TICK_TOPIC]
    assert f"`reap` every {ticks['reap']:g} s" in SECTIONS[TICK_TOPIC]


def test_real_records_are_within_the_limits(wire: Wire) -> None:
    for record in wire["events"]:
        data = json.dumps(value_of(record)["data"], separators=(",", ":"), ensure_ascii=False).encode()
        assert _size(record) - len(data) < MOST_BESIDE_DATA
    assert all(_size(record) < MOST_BESIDE_DATA / 2 for record in wire["ticks"])


@KAFKA_LOADS
def test_the_reader_of_the_page_handles_each_event_once(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's own code, on records as kafka-python hands them over, the last one of each partition repeated."""
    Consumer.records = [record for record in wire["events"] for _ in range(2)]
    monkeypatch.setattr("kafka.KafkaConsumer", Consumer)
    (reading, _) = _code("python")
    exec(compile(reading, "docs/topics.md", "exec"), {})  # noqa: S102 - the page's code is ours
    done = [record for record in wire["events"] if record.headers["type"] == b"ObservationSucceeded"]
    assert done
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        [str(record.source_id), "ObservationSucceeded"] for record in done
    ]


def test_the_validators_of_the_page_work(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (_, validating) = _code("python")
    made: dict[str, Any] = {}
    exec(compile(validating, "docs/topics.md", "exec"), made)  # noqa: S102 - the page's code is ours
    event, snapshot = value_of(wire["events"][0]), value_of(wire["snapshots"][0])
    made["EVENTS"].validate(event)
    assert not made["EVENTS"].is_valid({**event, "data": {}})
    made["DATA"].validate(json.loads(snapshot["data"]))
    assert not made["DATA"].is_valid({})


@KAFKA_LOADS
def test_the_packing_of_long_snapshots_is_as_the_page_says(wire: Wire) -> None:
    (reading, _) = _code("python")
    made: dict[str, Any] = {}
    exec(compile(reading[: reading.index("def handle")], "docs/topics.md", "exec"), made)  # noqa: S102 - as above
    assert {record.value[:2] == b"\x1f\x8b" for record in wire["snapshots"]} == {True, False}
    assert all(made["document"](record.value) == value_of(record) for record in wire["snapshots"])


class Consumer:
    """In the place of kafka-python's class: knows its options, and hands over records in its form, to their end."""

    records: ClassVar[list[Record]] = []

    def __init__(self, *topics: str, **options: Any) -> None:
        real = importlib.import_module("kafka.consumer.group").KafkaConsumer
        assert set(options) <= set(real.DEFAULT_CONFIG)
        assert topics == ("vision.events",)

    def __iter__(self) -> Iterator[Any]:
        received = importlib.import_module("kafka.consumer.fetcher").ConsumerRecord
        for record in self.records:
            named = {"partition": record.partition, "value": record.value, "headers": list(record.headers.items())}
            yield received(*(named.get(name) for name in received._fields))

    def commit(self) -> None:
        """Nothing to do: the records are handed over once."""


def _code(language: str) -> list[str]:
    return [match["body"] for match in FENCE.finditer(PAGE) if match["info"] == language]


def _rows(text: str, first: str) -> list[tuple[str, str]]:
    """The rows of the two-column table whose first heading is `first`."""
    table = text[text.index(f"| {first} |") :].partition("\n\n")[0]
    return [(cells[1].strip(), cells[2].strip()) for row in table.splitlines()[2:] for cells in [row.split("|")]]


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers.items())
    return len(record.key or b"") + len(record.value) + headers


def _published_topics() -> Iterator[str]:
    """The topic of each `publish` call in the product, but for those that pass on what they are given."""
    for file, module in _modules():
        for call in _calls(file):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "publish":
                # What is posted goes to the topics of its events, whose list is the wire's.
                yield from TOPICS if _is_of_a_loop(call.args[0], module) else [_constant(call.args[0], module)]


def _consuming_groups() -> Iterator[tuple[str, str]]:
    yield from TOPIC_OF.items()


def _modules() -> Iterator[tuple[Path, str]]:
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            if not module.startswith(PASSING_ON):
                yield file, module


def _calls(file: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))


def _is_of_a_loop(argument: ast.expr, module: str) -> bool:
    name = argument.id if isinstance(argument, ast.Name) else ""
    return module == "consumers.capture.posting.posts" and name == "topic"


def _constant(argument: ast.expr, module: str) -> str:
    """The text that an argument stands for: a literal, or a name of the module."""
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    assert isinstance(argument, ast.Name), f"{module} line {argument.lineno}: which topic this is cannot be told"
    return str(getattr(importlib.import_module(module), argument.id))
