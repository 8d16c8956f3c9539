"""Bad input (contract 2.2, 10 row 21): whatever is sent, the answer is the envelope or a success; never a 500."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.contract.site import MONITOR, Site, refusal, scanner

JSON = {"Content-Type": "application/json"}

BODIES = {
    "empty": b"",
    "space": b" ",
    "open": b"{",
    "word": b"nope",
    "null": b"null",
    "number": b"5",
    "text": b'"x"',
    "list": b"[]",
    "list of objects": b"[{}]",
    "nan": b'{"name": NaN}',
    "infinity": b'{"sampling_rate": Infinity}',
    "overflow": b'{"sampling_rate": 1e999}',
    "bad utf-8": b'{"name": "\xff"}',
    "utf-16": '{"name": "x"}'.encode("utf-16"),
    "bom": b"\xef\xbb\xbf{}",
    "nul byte": b"\x00",
    "two": b"{}{}",
    "trailing": b"{},",
    "comment": b"{}//x",
    "single quotes": b"{'a': 1}",
    "deep list": b"[" * 50_000,
    "deep object": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep config": b'{"scanner_config":' + b'{"a":' * 90 + b"1" + b"}" * 91,
    "digits": b'{"sampling_rate": ' + b"9" * 100_000 + b"}",
    "many digits": b'{"sampling_rate": ' + b"9" * 4_000 + b"}",
    "megabyte": b'{"name": "' + b"x" * 1_000_000 + b'"}',
    "over the limit": b'{"name": "' + b"x" * 1_100_000 + b'"}',
    "many keys": json.dumps({f"k{number}": number for number in range(50_000)}).encode(),
    "repeated key": b'{"name": "a", "name": null}',
    "nul in key": b'{"\\u0000": 1}',
    "surrogate in key": b'{"\\ud800": 1}',
}

WEIRD: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "negative": -1,
    "float": 1.5,
    "huge": 10**400,
    "long": 10**30,
    "small": 1e-320,
    "empty": "",
    "blank": " \t\n",
    "text": "text",
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
    "pair": "\U0001f600",
    "control": "\x01\x1f",
    "direction": "\u202e\u2066",
    "long text": "x" * 30_000,
    "very long text": "x" * 300_000,
    "list": [],
    "nested": [[[[]]]],
    "object": {},
    "nul object": {"a\x00": 1},
    "surrogate object": {"prompt": "\udfff"},
    "key object": {"": ""},
    "date": "2026-11-23T00:00:00Z",
    "sql": "'; DROP TABLE x; --",
    "format": "{message}{0}%s%(a)s",
    "script": "<script>alert(1)</script>",
}

FIELDS = (
    "name",
    "description",
    "scanner_type",
    "scanner_config",
    "query",
    "sampling_rate",
    "provider",
    "model",
    "enabled",
    "emits_signals",
    "id",
    "created_by",
    "scanner_version",
    "personal_api_key",
)


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture(scope="module")
def known(api: httpx.Client) -> str:
    identifier: str = scanner(api, "target of bad input")["id"]
    return identifier


def send(api: httpx.Client, method: str, path: str, document: Any) -> httpx.Response:
    """`json=` refuses what a hostile client sends: lone surrogates, giant numbers."""
    return api.request(method, path, content=json.dumps(document).encode("ascii"), headers=JSON)


def check(response: httpx.Response, allowed: tuple[int, ...] = (200, 201, 202)) -> None:
    if response.status_code in allowed:
        response.json()
    else:
        status, kind, _, _ = refusal(response)
        assert 400 <= status < 500, response.text
        assert kind in ("validation_error", "invalid_request")


@pytest.mark.rule("2.2/envelope")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("route", ["create", "patch", "observe"])
def test_malformed_bodies(api: httpx.Client, known: str, route: str, body: bytes) -> None:
    method, path = {
        "create": ("POST", "scanners/"),
        "patch": ("PATCH", f"scanners/{known}/"),
        "observe": ("POST", f"scanners/{known}/observe/"),
    }[route]
    response = api.request(method, path, content=body, headers=JSON)
    check(response)
    if route != "patch":
        assert response.status_code in (400, 413)


@pytest.mark.parametrize("value", WEIRD.values(), ids=WEIRD.keys())
@pytest.mark.parametrize("field", FIELDS)
def test_every_field_with_every_kind_of_value(api: httpx.Client, known: str, field: str, value: Any) -> None:
    check(send(api, "POST", "scanners/", {**MONITOR, "name": str(uuid4()), field: value}))
    check(send(api, "PATCH", f"scanners/{known}/", {field: value}))


@pytest.mark.rule("10/21")
@pytest.mark.parametrize("value", WEIRD.values(), ids=WEIRD.keys())
def test_every_config_with_every_kind_of_value(api: httpx.Client, value: Any) -> None:
    configs = {
        "monitor": [{"prompt": value}, {"prompt": "p", "allow_inconclusive": value}],
        "classifier": [
            {"prompt": "p", "tags": value},
            {"prompt": "p", "tags": [value]},
            {"prompt": "p", "tags": ["a", value]},
            {"prompt": "p", "tags": ["a"], "multi_label": value},
        ],
        "scorer": [
            {"prompt": "p", "scale": value},
            {"prompt": "p", "scale": {"min": value, "max": 10}},
            {"prompt": "p", "scale": {"min": 0, "max": value}},
            {"prompt": "p", "scale": {"min": 0, "max": 1, "label": value}},
        ],
        "summarizer": [{"prompt": "p", "length": value}, {"prompt": "p", "unknown": value}],
    }
    for scanner_type, variants in configs.items():
        for config in variants:
            body = {**MONITOR, "name": str(uuid4()), "scanner_type": scanner_type, "scanner_config": config}
            response = send(api, "POST", "scanners/", body)
            check(response)
            if response.status_code == 400:
                assert refusal(response)[3] == "scanner_config"
            else:
                assert response.json()["scanner_config"] == config


@pytest.mark.parametrize("value", WEIRD.values(), ids=WEIRD.keys())
@pytest.mark.parametrize(
    "key", ["kind", "events", "properties", "session_ids", "operand", "limit", "modifiers", "unknown", "date_from"]
)
def test_every_query_with_every_kind_of_value(api: httpx.Client, key: str, value: Any) -> None:
    response = send(api, "POST", "scanners/", {**MONITOR, "name": str(uuid4()), "query": {key: value}})
    check(response)
    if response.status_code == 400:
        assert refusal(response)[3] == "query"


@pytest.mark.parametrize("value", WEIRD.values(), ids=WEIRD.keys())
def test_observe_with_every_kind_of_session(api: httpx.Client, known: str, value: Any) -> None:
    response = send(api, "POST", f"scanners/{known}/observe/", {"session_id": value})
    check(response)
    if response.status_code == 400:
        assert refusal(response)[3] == "session_id"


QUERY_VALUES = (
    "",
    "%00",
    "%ff%fe",
    "%ed%a0%80",
    "a%00b",
    "-1",
    "0",
    "1e9",
    "9" * 5000,
    "NaN",
    "true",
    "TRUE",
    ",",
    ",,,",
    "%2C",
    "null",
    "[]",
    "%F0%9F%98%80",
    "'",
    '"',
    "%25",
    "_",
    "\\",
    "name,created_at",
    "-",
    "--name",
    "x" * 20_000,
    "%",
    "%zz",
    "+",
    "2026-13-45",
    "00000000-0000-0000-0000-000000000000",
)
PARAMETERS = (
    "limit",
    "offset",
    "order_by",
    "search",
    "enabled",
    "scanner_type",
    "emits_signals",
    "created_by",
    "status",
    "triggered_by",
    "verdict",
    "tags",
    "session_id",
    "type",
    "actor",
    "after",
    "before",
    "stream",
    "cursor",
)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_with_every_kind_of_value(site: Site, api: httpx.Client, known: str, name: str) -> None:
    root = f"/api/environments/{site.environment_id}/vision"
    for value in QUERY_VALUES:
        for path in ("scanners/", f"scanners/{known}/observations/", "observations/", f"scanners/{known}/history/"):
            # Written out by hand: a client library would refuse or repair what a hostile one sends.
            check(raw(site.url, "GET", f"{root}/{path}?{name}={value}".replace(" ", ""), api.headers["authorization"]))


def raw(url: str, method: str, target: str, authorization: str) -> httpx.Response:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        connection.putheader("Authorization", authorization)
        connection.endheaders()
        answer = connection.getresponse()
        return httpx.Response(answer.status, content=answer.read(), headers=answer.getheaders())
    finally:
        connection.close()


@pytest.mark.rule("1/json-body", "2.2/content-type")
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "é/ü",
    ],
)
def test_other_content_types(api: httpx.Client, content_type: str) -> None:
    response = api.post(
        "scanners/", content=b'{"name": "x"}', headers=[(b"Content-Type", content_type.encode("latin-1"))]
    )
    assert refusal(response) == (415, "invalid_request", "unsupported_media_type", None)


@pytest.mark.rule("2.2/not-acceptable")
@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "image/*", "application/json;q=0.5", "*/*", "", "a" * 5000, ",,,"]
)
def test_accept_headers(api: httpx.Client, accept: str) -> None:
    response = api.get("scanners/", headers={"Accept": accept})
    if accept in ("application/json;q=0.5", "*/*", ""):
        assert response.status_code == 200
    else:
        assert refusal(response) == (406, "invalid_request", "not_acceptable", None)
