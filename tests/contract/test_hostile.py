"""No request of any kind gets a 500 (contract 2.2): every operation with every kind of bad input.

An operation that is added to the route table is tested by being there. `VALID` and `target` say what makes it get
further: a good body, and ids of objects that exist.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from api.http.app import NOUNS
from api.http.calls import Operation
from api.http.preconditions import IF_MATCH
from tests.contract.hostile_input import BODIES, HEADERS, IDS, QUERIES, VALUES
from tests.contract.judging import judge
from tests.contract.reporting import reported
from tests.contract.site import MONITOR, Site, observe, record, refusal, scanner

OPERATIONS = [operation for noun in NOUNS for operation in noun.OPERATIONS]
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
JSON = "application/json"
SHARE = 4
MANY_PARAMETERS = 10

ACTION: Mapping[str, Any] = {
    "trigger_type": "schedule",
    "mode": "group_summary",
    "trigger_config": {"rrule": "FREQ=DAILY;BYHOUR=8", "timezone": "Europe/Prague"},
    "selection": {"verdict": "yes", "tags": ["cart"], "min_score": 1, "window_days": 7},
    "synthesis_config": {"prompt_guide": "By step."},
    "delivery_config": [{"type": "webhook", "url": "https://hooks.example.org/vision"}],
}

VALID: Mapping[str, Mapping[str, Any]] = {
    "scanners_create": MONITOR,
    "scanners_partial_update": {},
    "scanners_observe_create": {"session_id": "s"},
    "scanners_bulk_observe_create": {"session_ids": ["s"]},
    "scanners_estimate_create": {"query": {"operand": "OR"}, "sampling_rate": 0.5},
    "actions_create": {"name": "", **ACTION},
    "actions_partial_update": ACTION,
}
"""A good body, so that one bad field is met after the others were read."""

REFUSED_HERE: Mapping[str, int] = {
    "scanners_observations_retry_create": 409,  # it is still in progress
    "observations_list": 400,  # without a session_id
}

REFERENCES = {"scanner": "scanner_id", "scanner_id": "scanner_id"}
"""Fields that hold the id of something that is there."""


def some(values: Sequence[Any], operation: Operation) -> Sequence[Any]:
    """Every fourth value, other ones for each of four neighbours in the route table.

    For what all operations have from the same code: each value still meets several of them.
    """
    return values[OPERATIONS.index(operation) % SHARE :: SHARE]


@dataclass(frozen=True)
class Target:
    """An operation with objects that are there."""

    site: Site
    operation: Operation
    key: str
    ids: Mapping[str, str]

    def address(self, **ids: str) -> str:
        path = re.sub(":[a-z]+}", "}", self.operation.address)
        known = {**self.ids, **ids}
        for name in self.parameters:
            path = path.replace(f"{{{name}}}", known.get(name) or str(uuid4()))
        environment = known.get("environment_id", str(self.site.environment_id))
        return f"/api/environments/{environment}/{path}"

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return [piece.partition("}")[0].partition(":")[0] for piece in self.operation.path.split("{")[1:]]

    def send(
        self, address: str, body: bytes | None = None, headers: Mapping[str, bytes] | None = None
    ) -> httpx.Response:
        """As written: a client library would refuse or repair most of it."""
        given: dict[str, bytes] = {"Authorization": f"Bearer {self.key}".encode()}
        if body is not None:
            given |= {"Content-Type": JSON.encode(), "Content-Length": b"%d" % len(body)}
        if self.operation.method == "DELETE":
            given["If-Match"] = b'"0"'  # so that what is to be deleted stays there for the next
        given |= headers or {}
        lines = [f"{self.operation.method} {address} HTTP/1.1".encode()]
        if "Host" not in given:
            lines.append(b"Host: a")
        lines += [name.encode("latin-1") + b": " + value for name, value in given.items()]
        return exchange(self.site.url, b"\r\n".join([*lines, b"Connection: close", b"", body or b""]))


def exchange(url: str, request: bytes) -> httpx.Response:
    """What the server answers to these bytes."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as connection:
        with suppress(ConnectionError):  # it may answer before the end, and close
            connection.sendall(request)
        with http.client.HTTPResponse(connection, method=request.partition(b" ")[0].decode("latin-1")) as answer:
            answer.begin()
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()]
            return httpx.Response(answer.status, content=answer.read(), headers=headers)


def check(response: httpx.Response, said: object) -> None:
    """A success, or a refusal in the envelope that is the caller's fault."""
    assert response.status_code < 500, (said, response.text)
    if response.status_code >= 400:
        refusal(response)


@pytest.fixture(scope="module")
def api(site: Site) -> httpx.Client:
    return site.client()


@pytest.fixture
def target(site: Site, api: httpx.Client, operation: Operation) -> Iterator[Target]:
    """Its objects are deleted in the end: lists that grow with each test would be what this file spends its time on."""
    made = scanner(api, str(uuid4()))["id"]
    context = replace(site.system, now=site.services.clock(), tenant=site.tenant)
    site.services.scanners.skip_gap(context, UUID(made), 1, 1, "quota_exhausted")
    site.standing()
    (gap,) = api.get(f"scanners/{made}/gaps/").json()["results"]
    action = api.post("actions/", json={**ACTION, "name": str(uuid4()), "scanner": made}).json()
    ids = {
        "scanner_id": made,
        "observation_id": observe(api, made, "s"),
        "gap_id": gap["id"],
        "action_id": action["id"],
        "session_id": record(site, str(uuid4())),
    }
    if "{judged_observation_id:" in operation.path:
        ids["judged_observation_id"] = observe(api, made, ids["session_id"])
        answer = {"reasoning": "r", "verdict": "yes", "confidence": 0.5}
        judge(site, ids["judged_observation_id"], ids["session_id"], "monitor", MONITOR["scanner_config"], answer)
    if "{run_id:" in operation.path:
        ids["run_id"], ids["delivery_id"] = reported(site, action["id"], ids["observation_id"], "s", "answered")
    yield Target(site, operation, api.headers["authorization"].removeprefix("Bearer "), ids)
    for left in api.get("scanners/?limit=1000").json()["results"]:
        api.delete(f"scanners/{left['id']}/").raise_for_status()


def good(target: Target) -> bytes | None:
    """A body that the operation takes, as far as this file knows one."""
    operation = target.operation
    if operation.body is None:
        return None
    body = dict(VALID.get(operation.name, {}))
    references = {field: target.ids[name] for field, name in REFERENCES.items() if field in operation.body.model_fields}
    names = {"name": str(uuid4())} if "name" in body else {}
    return json.dumps({**body, **names, **references}).encode()


@EVERY_OPERATION
def test_it_is_reached(target: Target, operation: Operation) -> None:
    """Else the rest of this file would only see how strangers are turned away."""
    response = target.send(target.address(), good(target))
    check(response, "plain")
    if operation.method == "DELETE" and IF_MATCH in operation.parameters:
        assert response.status_code == 412, "what `send` adds is all that keeps it from being done"
    elif operation.name in REFUSED_HERE:
        assert response.status_code == REFUSED_HERE[operation.name]
    else:
        assert response.status_code < 400, response.text


@EVERY_OPERATION
def test_bodies(target: Target, operation: Operation) -> None:
    for name, body in BODIES.items() if operation.method != "GET" else some(list(BODIES.items()), operation):
        check(target.send(target.address(), body), name)
        check(target.send(target.address(), body, {"Idempotency-Key": b"body"}), name)


@EVERY_OPERATION
def test_fields(target: Target, operation: Operation) -> None:
    if operation.body is None:
        check(target.send(target.address(), b"{}"), "none")
        return
    for field in operation.body.model_fields:
        for value in VALUES:
            document = {**json.loads(good(target) or b"{}"), field: value}
            check(target.send(target.address(), json.dumps(document).encode("ascii")), (field, str(value)[:80]))


def with_each_inner(document: Any, value: object) -> Iterator[tuple[str, Any]]:
    """(path, the document with `value` there) for every place inside of its objects and lists."""
    for key, inner in list(document.items() if isinstance(document, dict) else enumerate(document)):
        if not isinstance(inner, dict | list):
            continue
        changed = copy(document)
        for at in inner if isinstance(inner, dict) else range(len(inner)):
            changed[key] = copy(inner)
            changed[key][at] = value
            yield f"{key}.{at}", changed
        for path, deeper in with_each_inner(inner, value):
            changed[key] = deeper
            yield f"{key}.{path}", changed


@EVERY_OPERATION
def test_fields_inside_of_fields(target: Target, operation: Operation) -> None:
    for value in VALUES if operation.body else ():
        for path, document in with_each_inner(json.loads(good(target) or b"{}"), value):
            check(target.send(target.address(), json.dumps(document).encode("ascii")), (path, str(value)[:80]))


@EVERY_OPERATION
def test_ids(target: Target, operation: Operation) -> None:
    for name in [*target.parameters, "environment_id"]:
        for value in IDS if name in target.parameters else some(IDS, operation):
            send = partial(target.send, target.address(**{name: value}), good(target))
            check(send(), (name, value[:80]))
            if operation.method != "GET":
                check(send(headers={"Idempotency-Key": b"id"}), (name, value[:80]))


@EVERY_OPERATION
def test_parameters(target: Target, operation: Operation) -> None:
    names = [parameter.name for parameter in operation.parameters]
    others = ["limit", "offset", "personal_api_key", "as_of", "version", "%00", "%ff", ""]
    # Writes read no other parameter than the key, whichever of them it is.
    for at, name in enumerate([*names, *(others if operation.method == "GET" else ["personal_api_key", "%00"])]):
        # Of many parameters, each meets a share: parameters of a kind read them alike.
        values = QUERIES[at % SHARE :: SHARE] if len(names) > MANY_PARAMETERS else QUERIES
        for value in values if name in names else some(QUERIES, operation):
            check(target.send(f"{target.address()}?{name}={value}", good(target)), (name, value[:80]))


@EVERY_OPERATION
def test_query_strings_that_are_none(target: Target, operation: Operation) -> None:
    for query in (
        "&" * 20_000,
        "=" * 20_000,
        "?" * 100,
        "a" * 40_000,
        "%" * 9_000,
        ";",
        "a[]=1&a[b]=2",
        "limit",
        "&=&",
    ):
        check(target.send(f"{target.address()}?{query}", good(target)), query[:80])


@EVERY_OPERATION
def test_headers(target: Target, operation: Operation) -> None:
    for name, values in HEADERS.items():
        for value in values if operation.method != "GET" else some(values, operation) or values[:1]:
            check(target.send(target.address(), good(target), {name: value}), (name, value[:80]))


@pytest.mark.parametrize("path", ["/s/", "/rrweb/", "/healthz/", "/metrics/", "/api/schema/", "/docs/", "/nothing/"])
def test_addresses_beside_the_route_table(site: Site, path: str) -> None:
    def sent(line: str, headers: bytes, body: bytes = b"") -> httpx.Response:
        length = b"Content-Length: %d\r\n" % len(body)
        request = f"{line} HTTP/1.1\r\nConnection: close\r\n".encode() + length + headers + b"\r\n" + body
        return exchange(site.url, request)

    method, host = ("POST" if path in ("/s/", "/rrweb/") else "GET"), b"Host: a\r\n"
    # Who does not read a body answers and closes; the answer may be lost when much of the body is still on its way.
    for name, body in BODIES.items() if method == "POST" else ():
        for kind in (b"application/json", b"text/plain", b"application/x-www-form-urlencoded"):
            check(sent(f"{method} {path}", host + b"Content-Type: %s\r\n" % kind, body), name)
    names = ("compression", "token", "ver", "_", "%00", "personal_api_key") if method == "POST" else ("token",)
    # The others read no parameter, and some of them are dear.
    for query in QUERIES if method == "POST" else QUERIES[::4]:
        for name in names:
            check(sent(f"{method} {path}?{name}={query}", host, b"[]"), (name, query[:80]))
    for name, values in HEADERS.items():
        for value in values:
            own = b"" if name == "Host" else host
            check(sent(f"{method} {path}", own + name.encode() + b": " + value + b"\r\n", b"[]"), (name, value[:80]))


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /%00 HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET //api//environments HTTP/1.1",
        b"GET * HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET http://[::1/ HTTP/1.1",
        b"GET http://evil.example/api/environments/1/vision/quota/ HTTP/1.1",
        b"GET /" + b"a" * 60_000 + b" HTTP/1.1",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1",
        b"GET / HTTP/9.9",
        b"BREW / HTTP/1.1",
        b"PROPFIND /api/environments/1/vision/quota/ HTTP/1.1",
        b"TRACE /api/environments/1/vision/quota/ HTTP/1.1",
        b"nonsense",
        b"\x16\x03\x01\x02\x00",
    ],
    ids=lambda line: repr(line[:40]),
)
def test_request_lines(site: Site, request_line: bytes) -> None:
    answer = exchange(site.url, request_line + b"\r\nHost: a\r\nConnection: close\r\n\r\n")
    check(answer, request_line[:80])


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: -1",
        b"Content-Length: x",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: \xff",
    ],
)
def test_lengths_that_are_none(site: Site, headers: bytes) -> None:
    head = f"POST /api/environments/{site.environment_id}/vision/scanners/ HTTP/1.1\r\nHost: a\r\n".encode()
    check(exchange(site.url, head + headers + b"\r\nConnection: close\r\n\r\n0\r\n\r\n"), headers)
