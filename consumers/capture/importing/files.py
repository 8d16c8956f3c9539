"""Recordings in files: which kinds are read, and how each becomes what a browser would have posted.

* captured requests: JSON lines of requests with their bodies in base64 (`body`), the form of `recordings/`; or a
  folder with `requests.jsonl` naming body files (`body_file`);
* JSON lines of `$snapshot` events as posthog-js posts them;
* decoded rrweb: JSON lines of events, of `[window, event]`, or of `{session_id, window_id, distinct_id, event}`;
* one JSON document: a list of rrweb events, or any body that the capture endpoints take.

Every file may be gzip. The kind is told by the content, never by the name.
"""

import binascii
import gzip
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO
from uuid import uuid5

from consumers.capture.wire.encodings import MAX_WIRE_BYTES, Json, dump, parse
from consumers.capture.wire.refusals import CaptureRefused, Malformed, TooLarge, Undecodable
from domain.ids import NAMESPACE

MAX_LINE_BYTES = 2 * MAX_WIRE_BYTES
"""A line or a whole JSON document: a body of the wire limit in base64 fits."""

MAX_FILES = 10_000
"""Files of one folder."""

EVENTS_A_BODY = 500
"""rrweb events posted together when a file has single events."""

_GZIP_MAGIC = b"\x1f\x8b"
_REQUESTS = "requests.jsonl"
_ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".json.gz")
_OK = range(200, 300)
_ASKING = ("/flags", "/decide")
"""Where SDKs ask for their configuration: what they post there is no event."""


@dataclass(frozen=True, slots=True)
class Body:
    """One request body, with what a server needs of its headers and query to read it."""

    content: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str]


def recordings_in(path: Path) -> list[Path]:
    """The recordings that a name given by a person stands for: itself, or what lies in a folder, by name.

    Raises Malformed for a folder without any, or with more than MAX_FILES.
    """
    if not path.is_dir() or (path / _REQUESTS).is_file():
        return [path]
    inside = sorted(child for child in path.iterdir() if not child.name.startswith("."))
    found = [child for child in inside if child.name.endswith(_ENDINGS) or (child / _REQUESTS).is_file()]
    if not found:
        raise Malformed("The folder has no recordings.")
    if len(found) > MAX_FILES:
        raise TooLarge(f"A folder may have {MAX_FILES} recordings.")
    return found


def bodies(path: Path) -> Iterator[Body]:
    """The bodies of a recording, in order, one in memory at a time. Can be called again for a second pass.

    Raises a CaptureRefused where the file is not what it should be, OSError when it cannot be read.
    """
    if path.is_dir():
        yield from _requests(_lines(path / _REQUESTS), path)
        return
    first, more = _first_lines(path)
    entry = _quietly(first)
    if isinstance(entry, dict) and ("body" in entry or "body_file" in entry or "method" in entry):
        yield from _requests(_lines(path), path.parent)
    elif isinstance(entry, dict) and isinstance(entry.get("event"), str) and more:
        yield from (Body(line, {}, {}) for line in _lines(path))
    elif _is_named(entry) or _is_event(entry):
        yield from _events(_lines(path), path)
    else:
        yield from _document(path)


def _first_lines(path: Path) -> tuple[bytes, bool]:
    """The first line, and whether others follow."""
    lines = _lines(path)
    first = next(lines, b"")
    return first, next(lines, None) is not None


def _lines(path: Path) -> Iterator[bytes]:
    """Lines that are not blank. Reads gzip by its first bytes."""
    try:
        with path.open("rb") as file, _plain(file) as text:
            while line := text.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise TooLarge(f"A line may have {MAX_LINE_BYTES} bytes.")
                if line := line.strip():
                    yield line
    except (gzip.BadGzipFile, EOFError) as error:
        raise Undecodable("The file is damaged gzip.") from error


def _plain(file: IO[bytes]) -> IO[bytes]:
    magic = file.read(2)
    file.seek(0)
    return gzip.open(file) if magic == _GZIP_MAGIC else io.BufferedReader(file)  # type: ignore[arg-type,return-value]


def _requests(lines: Iterator[bytes], folder: Path) -> Iterator[Body]:
    for line in lines:
        entry = parse(line)
        if not isinstance(entry, dict):
            raise Malformed("A line is not a request.")
        status = entry.get("status", 200)
        # What was answered with a failure was sent again, or was lost to the server that recorded it too.
        if entry.get("method", "POST") != "POST" or not isinstance(status, int) or status not in _OK:
            continue
        if str(entry.get("path", "")).rstrip("/").endswith(_ASKING):
            continue
        content = _content(entry, folder)
        if content:
            headers = {name.lower(): value for name, value in _pairs(entry.get("headers"))}
            yield Body(content, headers, dict(_pairs(entry.get("query"))))


def _content(entry: dict[str, Json], folder: Path) -> bytes:
    body, name = entry.get("body"), entry.get("body_file")
    if isinstance(body, str):
        try:
            return binascii.a2b_base64(body, strict_mode=True)
        except (binascii.Error, ValueError) as error:
            raise Undecodable("A body is not base64.") from error
    if not isinstance(name, str):
        return b""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise Malformed("A body file lies outside the recording's folder.")
    if path.stat().st_size > MAX_WIRE_BYTES:
        raise TooLarge(f"A body may have {MAX_WIRE_BYTES} bytes.")
    return path.read_bytes()


def _pairs(value: Json) -> Iterator[tuple[str, str]]:
    """Headers and queries: an object, or a list of pairs."""
    entries: list[Json] = [[name, text] for name, text in value.items()] if isinstance(value, dict) else []
    for pair in value if isinstance(value, list) else entries:
        match pair:
            case [str(name), str(text)]:
                yield name, text
            case _:
                continue


def _events(lines: Iterator[bytes], path: Path) -> Iterator[Body]:
    """Bodies of the plain rrweb form; events of one session and window that follow each other travel together."""
    unnamed = f"file-{uuid5(NAMESPACE, _digest(path))}"
    about: tuple[str, str, str] | None = None
    waiting: list[bytes] = []
    for line in lines:
        named, event = _named_event(parse(line), unnamed)
        if waiting and (named != about or len(waiting) == EVENTS_A_BODY):
            yield _rrweb_body(about or named, waiting)
            waiting = []
        about = named
        waiting.append(dump(event))
    if waiting and about:
        yield _rrweb_body(about, waiting)


def _named_event(entry: Json, unnamed: str) -> tuple[tuple[str, str, str], Json]:
    """(session, window, distinct id) and the event of a line."""
    match entry:
        case [str(window), event]:
            return (unnamed, window, ""), event
        case _:
            pass
    if isinstance(entry, dict) and "event" in entry:
        session, window, distinct = (str(entry.get(name) or "") for name in ("session_id", "window_id", "distinct_id"))
        return (session or unnamed, window, distinct), entry["event"]
    return (unnamed, "", ""), entry


def _rrweb_body(about: tuple[str, str, str], events: list[bytes]) -> Body:
    session, window, distinct = about
    names: dict[str, Json] = {"session_id": session, "window_id": window, "distinct_id": distinct}
    return Body(dump(names)[:-1] + b',"events":[' + b",".join(events) + b"]}", {}, {})


def _document(path: Path) -> Iterator[Body]:
    content = _whole(path)
    entry = _quietly(content)
    if isinstance(entry, list) and any(_is_event(item) for item in entry):
        about = (f"file-{uuid5(NAMESPACE, _digest(path))}", "", "")
        for start in range(0, len(entry), EVENTS_A_BODY):
            yield _rrweb_body(about, [dump(event) for event in entry[start : start + EVENTS_A_BODY]])
    else:
        yield Body(content, {}, {})


def _whole(path: Path) -> bytes:
    try:
        with path.open("rb") as file, _plain(file) as text:
            content = text.read(MAX_WIRE_BYTES + 1)
    except (gzip.BadGzipFile, EOFError) as error:
        raise Undecodable("The file is damaged gzip.") from error
    if len(content) > MAX_WIRE_BYTES:
        raise TooLarge(f"A single document may have {MAX_WIRE_BYTES} bytes.")
    return content


def _digest(path: Path) -> str:
    """Of the file's bytes: the same recording imported twice is the same session."""
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def _is_named(entry: Json) -> bool:
    """A line that says which window or session its event is of."""
    match entry:
        case [str(), dict()] | {"event": dict()}:
            return True
        case _:
            return False


def _is_event(entry: Json) -> bool:
    return isinstance(entry, dict) and "timestamp" in entry and isinstance(entry.get("type"), int)


def _quietly(text: bytes) -> Json:
    try:
        return parse(text)
    except CaptureRefused:
        return None
