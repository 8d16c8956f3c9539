"""What browsers posted to `/s/`, under sessions and batches of its own."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]

Document = list[dict[str, Any]]
"""The snapshots of one post."""


def bodies(documents: Sequence[Document], token: str, count: int) -> list[bytes]:
    """So many gzipped bodies, the recorded ones in turn."""
    return [_packed(_renamed(each, token)) for each in islice(cycle(documents), count)]


def committed() -> list[Document]:
    """The gzipped posts of the repository's recordings."""
    found = (
        json.loads(line)
        for folder in ("recordings", "tests/recordings")
        for path in sorted((ROOT / folder).glob("*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    )
    return [*_gzipped((post["path"], base64.b64decode(post["body"])) for post in found)]


def captured(folder: Path) -> list[Document]:
    """The same of captures: in `sessions`, folders with `requests.jsonl` and the bodies that it names."""
    found = (
        (path.parent, json.loads(line))
        for path in sorted(folder.glob("sessions/*/requests.jsonl"))
        for line in path.read_bytes().splitlines()
    )
    named = ((session, post) for session, post in found if "body_file" in post)
    return [*_gzipped((post["path"], (session / post["body_file"]).read_bytes()) for session, post in named)]


def put_together(documents: Sequence[Document], wire: int) -> list[Document]:
    """One snapshot a post, with the data of as many recorded ones as make a body of `wire` bytes."""
    snapshots = cycle([snapshot for document in documents for snapshot in document])
    return [[_joined(snapshots, wire)] for _ in documents]


def _joined(snapshots: Iterator[dict[str, Any]], wire: int) -> dict[str, Any]:
    joined = next(snapshots)
    while len(_packed([joined])) < wire:
        data = [*joined["properties"]["$snapshot_data"], *next(snapshots)["properties"]["$snapshot_data"]]
        joined = {**joined, "properties": {**joined["properties"], "$snapshot_data": data}}
    return joined


def _gzipped(posts: Iterator[tuple[str, bytes]]) -> Iterator[Document]:
    for path, body in posts:
        if path == "/s/" and body.startswith(b"\x1f\x8b"):
            document = json.loads(gzip.decompress(body))
            yield document if isinstance(document, list) else [document]


def _renamed(document: Document, token: str) -> Document:
    session_id = str(uuid4())
    return [
        {
            **event,
            "uuid": str(uuid4()),
            "properties": {**event["properties"], "token": token, "$session_id": session_id},
        }
        for event in document
    ]


def _packed(document: Document) -> bytes:
    return gzip.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), 6, mtime=0)
