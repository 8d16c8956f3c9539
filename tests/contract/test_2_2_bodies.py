"""Contract 2.2: strict JSON within stated limits; the body is read for the key without failing."""

import anyio
import pytest
from starlette.requests import Request

from api.http.body import BODY_LIMIT, DEPTH_LIMIT, Payload, decode, payload
from api.http.errors import Refusal

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def posted(body: bytes, content_type: str | None = "application/json", chunk: int = 65536) -> Request:
    headers = [] if content_type is None else [(b"content-type", content_type.encode("latin-1"))]
    pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
    taken = iter(range(len(pieces)))

    async def receive() -> dict[str, object]:
        at = next(taken)
        return {"type": "http.request", "body": pieces[at], "more_body": at + 1 < len(pieces)}

    return Request({"type": "http", "method": "POST", "headers": headers, "query_string": b"", "path": "/"}, receive)


def told(body: Payload) -> tuple[int, str, str]:
    with pytest.raises(Refusal) as caught:
        body.value()
    return caught.value.status, caught.value.code, caught.value.detail


@pytest.mark.rule("2.2/malformed-json")
@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"nope",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b"\xff\xfe",
        b'"\xc3("',
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b"1" * 5_000,
        b"\x00",
        b"'a'",
    ],
)
async def test_what_is_not_strict_json_is_a_parse_error(raw: bytes) -> None:
    status, code, detail = told(await payload(posted(raw)))
    assert (status, code) == (400, "parse_error")
    assert detail.startswith("JSON parse error - ")
    assert len(detail) < 300


async def test_nesting_has_a_limit() -> None:
    assert decode(b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT) is not None
    with pytest.raises(Refusal):
        decode(b"[" * (DEPTH_LIMIT + 2) + b"]" * (DEPTH_LIMIT + 2))


async def test_a_body_over_the_limit_is_not_read_to_its_end() -> None:
    taken = 0

    async def receive() -> dict[str, object]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

    endless = Request({"type": "http", "method": "POST", "headers": [], "query_string": b"", "path": "/"}, receive)
    assert told(await payload(endless))[0] == 413
    assert taken == BODY_LIMIT // 65536 + 1


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.body.BODY_SECONDS", 0.02)

    async def receive() -> dict[str, object]:
        await anyio.sleep_forever()
        return {}

    stuck = Request({"type": "http", "method": "POST", "headers": [], "query_string": b"", "path": "/"}, receive)
    assert told(await payload(stuck))[:2] == (408, "request_timeout")


async def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError("read")

    headers = [(b"content-length", str(10**30).encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers, "query_string": b"", "path": "/"}, receive)
    assert told(await payload(request))[0] == 413


@pytest.mark.rule("2.2/content-type")
@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "é"]
)
async def test_another_content_type_is_unsupported(content_type: str | None) -> None:
    status, code, detail = told(await payload(posted(b"{}", content_type)))
    assert (status, code) == (415, "unsupported_media_type")
    assert detail == f'Unsupported media type "{content_type or ""}" in request.'


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", " application/json ;x=y"]
)
async def test_json_by_any_spelling_is_read(content_type: str) -> None:
    assert (await payload(posted(b'{"a": 1}', content_type))).value() == {"a": 1}


async def test_an_empty_body_is_an_empty_object_whatever_its_type() -> None:
    assert (await payload(posted(b"", "text/plain"))).value() == {}


async def test_the_key_is_found_in_the_body_and_never_fails() -> None:
    assert (await payload(posted(b'{"personal_api_key": "phx_1"}'))).key() == "phx_1"
    for raw in (b'{"personal_api_key": 5}', b'{"personal_api_key": ""}', b"[1]", b"{", b"null", b""):
        assert (await payload(posted(raw))).key() is None
