"""Common bodies are read where they come in; whatever could take long, or is not all well, is left to be read apart."""

import gzip
import json
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.capture.posting.at_once import NotAtOnce, read_at_once
from consumers.capture.posting.posted import Accepted, accept, accept_rrweb
from tests.capture.traffic import ROOT, posts

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEY = "k" * 12
RECORDINGS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "recordings").rglob("*.jsonl.gz"))
ITEM = {"type": 3, "timestamp": 1_700_000_000_000, "data": {"source": 1}}


def environment(token: str) -> int | None:
    return 1 if token == KEY else None


def snapshot(*items: Any, session_id: str = "s1") -> dict[str, Any]:
    said = {"token": KEY, "$session_id": session_id, "$snapshot_data": list(items)}
    return {"event": "$snapshot", "uuid": "0192f3a0-0000-7000-8000-000000000001", "properties": said}


def read(body: bytes, query: dict[str, str] | None = None) -> Accepted | None:
    return read_at_once(accept, body, {}, query or {}, NOW, environment)


def packed(document: Any) -> bytes:
    return gzip.compress(json.dumps(document).encode())


def test_a_common_body_is_what_it_would_be_apart() -> None:
    body = packed([snapshot(ITEM), snapshot(ITEM, ITEM)])
    found = read(body)
    assert found is not None
    assert found == accept(body, {}, {}, NOW, environment)
    assert found.snapshots == 2


def nested(levels: int, times: int) -> bytes:
    one = '{"timestamp":1,"a":' + "[" * levels + "]" * levels + "}"
    said = f'{{"token":"{KEY}","$session_id":"s","$snapshot_data":[{",".join([one] * times)}]}}'
    return gzip.compress(f'{{"event":"$snapshot","properties":{said}}}'.encode())


LEFT = {
    "large": lambda: packed([snapshot(ITEM, "x" * 70_000)]),
    "bomb": lambda: gzip.compress(b"[" * 50_000_000, 1),
    "many events": lambda: packed([snapshot(ITEM)] * 11),
    "many values": lambda: packed(snapshot(*[ITEM] * 1_500)),
    "packed": lambda: packed(snapshot(ITEM, zlib.compress(json.dumps(ITEM).encode()).decode("latin-1"))),
    "empty texts": lambda: packed(snapshot(ITEM, *[""] * 3_000)),
    "texts": lambda: packed(snapshot(ITEM, *["x"] * 1_000)),
    "deep": lambda: nested(480, 60),
    "deep and few": lambda: nested(480, 8),
    "refused in part": lambda: packed([snapshot(ITEM), snapshot(ITEM, session_id="../..")]),
    "without properties": lambda: packed({**snapshot(ITEM), "properties": {}}),
    "nobody's token": lambda: packed({"event": "$snapshot", "properties": {"token": "nobody's"}}),
    "cut short": lambda: gzip.compress(b"{")[:-3],
    "junk": lambda: b"\x00" * 100,
    "nothing": lambda: b"",
    "large as sent": lambda: json.dumps(snapshot(ITEM, "y" * 20_000)).encode(),
}


@pytest.mark.parametrize("made", LEFT.values(), ids=LEFT.keys())
def test_what_could_take_long_or_is_not_all_well_is_left(made: Callable[[], bytes]) -> None:
    body = made()
    began = time.process_time()
    assert read(body) is None
    assert time.process_time() - began < 0.1


def test_a_packing_that_takes_long_to_undo_is_left() -> None:
    assert read(packed(snapshot(ITEM)), {"compression": "lz64"}) is None


def test_what_only_the_database_can_tell_is_said() -> None:
    def asking(token: str) -> int | None:
        raise NotAtOnce(token)

    with pytest.raises(NotAtOnce) as unsure:
        read_at_once(accept, packed(snapshot(ITEM)), {}, {}, NOW, asking)
    assert unsure.value.token == KEY


def test_common_bodies_are_common() -> None:
    """Of what an SDK posts in a recording, nearly all is read at once, and found to be the same."""
    found = [
        (read_at_once(taking, post["body"], post["headers"], post["query"], NOW, lambda _: 1), taking, post)
        for name in RECORDINGS
        for post in posts(name)
        if (taking := {"/s/": accept, "/rrweb": accept_rrweb}.get(post["path"])) is not None
    ]
    common = [(there, taking, post) for there, taking, post in found if there is not None]
    assert len(common) > 0.8 * len(found) > 10
    for there, taking, post in common:
        assert there == taking(post["body"], post["headers"], post["query"], NOW, lambda _: 1)
