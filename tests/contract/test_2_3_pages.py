"""Contract 2.3: lenient limit and offset, absolute links from the public address, never a key in a link."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request

from api.http.entrance import Entrance
from api.http.paging import Page, page, paged

PUBLIC = "https://replay.example.org"


def asked(query: str, path: str = "/api/environments/1/vision/scanners/") -> Request:
    """A request as the routes see it: passed through the entrance."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(Request(scope))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(_: Any) -> None: ...

    headers = [(b"host", b"[evil.example")]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers}
    asyncio.run(Entrance(app)(scope, asked, send))  # type: ignore[arg-type]
    assert b"phx" not in scope["query_string"]
    return seen[0]


@pytest.mark.rule("2.3/default", "2.3/cap", "2.3/limit-zero", "2.3/limit-negative", "2.3/limit-text", "2.3/offset-bad")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Page(100, 0)),
        ("limit=5", Page(5, 0)),
        ("limit=0", Page(100, 0)),
        ("limit=-3", Page(100, 0)),
        ("limit=x", Page(100, 0)),
        ("limit=", Page(100, 0)),
        ("limit=1.5", Page(100, 0)),
        ("limit=5000", Page(1000, 0)),
        ("limit=5&limit=7", Page(7, 0)),
        ("offset=-1", Page(100, 0)),
        ("offset=x", Page(100, 0)),
        ("offset=7", Page(100, 7)),
        ("offset=%00", Page(100, 0)),
        ("offset=" + "9" * 4000, Page(100, 2**31)),
        ("limit=" + "9" * 5000, Page(1000, 0)),
    ],
)
def test_bad_values_never_fail(query: str, expected: Page) -> None:
    assert page(asked(query)) == expected


def links(query: str, count: int) -> tuple[str | None, str | None]:
    request = asked(query)
    answer = paged(request, PUBLIC, page(request), count, [])
    assert answer["count"] == count
    return answer["next"], answer["previous"]


@pytest.mark.rule("2.3/links-absolute", "2.3/links-parameters", "2.3/links-first-page", "2.1/key-nowhere-else")
def test_links_are_absolute_and_keep_the_other_parameters_but_never_a_key() -> None:
    following, preceding = links(
        "limit=2&offset=2&search=a%20b&personal_api_key=phx_secret&personal%5Fapi_key=phx_x", 9
    )
    base = f"{PUBLIC}/api/environments/1/vision/scanners/"
    assert following == f"{base}?limit=2&offset=4&search=a+b"
    assert preceding == f"{base}?limit=2&search=a+b"


@pytest.mark.rule("2.3/links-ends")
def test_the_first_page_has_no_previous_and_the_last_no_next() -> None:
    assert links("limit=2", 2) == (None, None)
    assert links("limit=2", 3)[0] is not None
    assert links("limit=2&offset=3", 3)[0] is None


@pytest.mark.rule("2.3/links-first-page")
def test_going_back_drops_the_offset_only_on_the_first_page() -> None:
    preceding = links("limit=2&offset=5", 9)[1]
    assert preceding is not None
    assert parse_qs(urlsplit(preceding).query) == {"limit": ["2"], "offset": ["3"]}


def test_an_offset_past_the_end_still_leads_back() -> None:
    following, preceding = links("limit=2&offset=100", 3)
    assert following is None
    assert preceding is not None


def test_links_keep_the_path_as_it_was_asked() -> None:
    request = asked("limit=1", "/api/projects/@current/vision/scanners")
    answer = paged(request, PUBLIC, page(request), 2, [])
    assert answer["next"] == f"{PUBLIC}/api/projects/@current/vision/scanners?limit=1&offset=1"
