"""What browsers posted to `/s/`, under sessions and batches of its own."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]


def bodies(token: str, count: int) -> list[bytes]:
    """So many gzipped bodies, the recorded ones in turn."""
    return [gzip.compress(_renamed(each, token), 6, mtime=0) for each in islice(cycle(_recorded()), count)]


def _renamed(document: list[dict[str, Any]], token: str) -> bytes:
    session_id = str(uuid4())
    renamed = [
        {
            **event,
            "uuid": str(uuid4()),
            "properties": {**event["properties"], "token": token, "$session_id": session_id},
        }
        for event in document
    ]
    return json.dumps(renamed, ensure_ascii=False, separators=(",", ":")).encode()


@cache
def _recorded() -> list[list[dict[str, Any]]]:
    return list(_documents())


def _documents() -> Iterator[list[dict[str, Any]]]:
    for folder in ("recordings", "tests/recordings"):
        for path in sorted((ROOT / folder).glob("*.jsonl.gz")):
            for line in gzip.decompress(path.read_bytes()).splitlines():
                post = json.loads(line)
                body = base64.b64decode(post["body"])
                if post["path"] == "/s/" and body.startswith(b"\x1f\x8b"):
                    document = json.loads(gzip.decompress(body))
                    yield document if isinstance(document, list) else [document]
