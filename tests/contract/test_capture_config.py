"""What a browser SDK fetches before it records (capture 1): remote config, flags, its own files, CORS."""

import base64
import gzip
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import pytest

from api.http.tokens import Tokens
from tests.contract.site import Site, refusal, served
from tests.contract.test_capture import PAGE, published, snapshot

PREFIXES = ["", "/relay"]


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as npm unpacks it, with things beside that must not be served."""
    root = tmp_path_factory.mktemp("npm")
    folder = root / "dist"
    folder.mkdir()
    (folder / "array.js").write_text("/* array */")
    (folder / "lazy-recorder.js").write_text("/* lazy */")
    (folder / "array.js.map").write_text("{}")
    (folder / "module.d.ts").write_text("secret")
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.js").write_text("secret")
    (folder / "folder.js").mkdir()
    (root / "secret.js").write_text("secret")
    (folder / "link.js").symlink_to(root / "secret.js")
    (folder / "loop.js").symlink_to(folder / "loop.js")
    (folder / "gone.js").symlink_to(folder / "nothing.js")
    with (folder / "huge.js").open("wb") as file:
        os.truncate(file.fileno(), 20_000_000)
    return folder


@pytest.fixture(scope="module")
def client(site: Site, sdk: Path) -> Iterator[httpx.Client]:
    services = replace(
        site.services, capture_prefix="/relay", capture_origins=("https://shop.example",), capture_sdk_folder=sdk
    )
    with served(services) as client:
        yield client


def readable(response: httpx.Response) -> bool:
    """Whether a page of PAGE's origin may read it."""
    return response.headers.get("access-control-allow-origin") == PAGE["Origin"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_config_starts_a_recording(site: Site, client: httpx.Client, prefix: str, slash: str) -> None:
    response = client.get(f"{prefix}/array/{site.project_token}/config{slash}", headers=PAGE)
    assert (response.status_code, readable(response)) == (200, True)
    assert response.headers["cache-control"] == "public, max-age=60"
    assert response.headers["vary"] == "Origin"
    config = response.json()
    assert "gzip-js" in config["supportedCompression"]
    assert config["capturePerformance"]["network_timing"] is True
    recording = config["sessionRecording"]
    assert recording["consoleLogRecordingEnabled"] is True
    assert recording["networkPayloadCapture"] == {"recordHeaders": False, "recordBody": False}
    # What the SDK makes of it: `api_host`, here with the prefix that it asked under, and the endpoint behind it.
    body = snapshot(site.project_token, f"{uuid4()}")
    assert client.post(prefix + recording["endpoint"], json=[body]).status_code == 200
    assert published(site, body["properties"]["$session_id"]) == 1


def test_the_script_sets_the_same_config(site: Site, client: httpx.Client) -> None:
    token = site.project_token
    response = client.get(f"/array/{token}/config.js", headers=PAGE)
    assert (response.status_code, readable(response)) == (200, True)
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["x-content-type-options"] == "nosniff"
    statement = re.fullmatch(r"\(function\(\)\{.*;all\[(.*?)\]=\{config:(.*),siteApps:\[\]\}\}\)\(\);\n", response.text)
    assert statement is not None, response.text
    assert [json.loads(literal) for literal in statement.groups()] == [
        token,
        client.get(f"/array/{token}/config").json(),
    ]


@pytest.mark.parametrize("name", ["config", "config.js"])
@pytest.mark.parametrize("token", ["phc_unknown", '"});alert(1);', "<script>", "\x00", "\ud800", "é", "a" * 5000])
def test_an_unknown_token_has_no_config(client: httpx.Client, name: str, token: str) -> None:
    path = quote(token.encode("utf-8", "surrogatepass"), safe="")
    response = client.get(f"/array/{path}/{name}", headers=PAGE)
    assert refusal(response) == (401, "authentication_error", "unknown_token", None)
    assert readable(response)
    assert "alert" not in response.text
    assert "cache-control" not in response.headers


def forms(document: dict[str, Any]) -> list[tuple[str, bytes, dict[str, str]]]:
    """The encodings of capture 2: query, body, headers."""
    text = json.dumps(document).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return [
        ("?v=2", text, {"Content-Type": "application/json"}),
        ("?v=2", gzip.compress(text), {"Content-Type": "text/plain"}),
        ("?v=2&config=true&compression=base64", b"data=" + quote(base64.b64encode(text)).encode(), form),
        ("?v=3", b"data=" + base64.b64encode(text), form),
        ("?compression=gzip-js", base64.b64encode(gzip.compress(text)), {}),
    ]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/flags/", "/flags", "/decide/", "/decide"])
def test_flags_are_none_and_the_config_comes_with_them(
    site: Site, client: httpx.Client, prefix: str, path: str
) -> None:
    config = client.get(f"/array/{site.project_token}/config").json()
    for query, body, headers in forms({"token": site.project_token, "distinct_id": "d"}):
        response = client.post(f"{prefix}{path}{query}", content=body, headers={**PAGE, **headers})
        assert (response.status_code, readable(response)) == (200, True), response.text
        told = response.json()
        assert {name: told.get(name) for name in config} == config
        assert (told["flags"], told["featureFlags"], told["featureFlagPayloads"]) == ({}, {}, {})
        assert told["errorsWhileComputingFlags"] is False


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nope!", 400),
        (b"[]", 401),
        (b"{}", 401),
        (b'{"token": 5}', 401),
        (b'{"token": "phc_unknown"}', 401),
        (b'{"token": "\\u0000"}', 401),
        (b"[" * 1_000_000, 413),
        (b"x" * 1_100_000, 413),
        (gzip.compress(b" " * 70_000_000), 413),
    ],
)
def test_flags_that_nobody_can_answer(client: httpx.Client, body: bytes, status: int) -> None:
    response = client.post("/flags/?v=2", content=body, headers=PAGE)
    assert (refusal(response)[0], readable(response)) == (status, True)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "path", ["/static/array.js", "/static/array.js?v=1.160.3", "/static/1.449.2/array.js", "/static/a/b/c/array.js"]
)
def test_files_of_the_sdk(client: httpx.Client, prefix: str, path: str) -> None:
    response = client.get(prefix + path, headers=PAGE)
    assert (response.status_code, response.text, readable(response)) == (200, "/* array */", True)
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["cache-control"] == "public, max-age=300"
    again = client.get(prefix + path, headers={**PAGE, "If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content, readable(again)) == (304, b"", True)
    assert client.head(prefix + path).headers["content-length"] == "11"


@pytest.mark.parametrize(
    "path",
    [
        "secret.js",
        "..%2fsecret.js",
        "%2e%2e/secret.js",
        "..\\secret.js",
        "%2Fetc%2Fpasswd",
        "module.d.ts",
        "link.js",
        "loop.js",
        "gone.js",
        "folder.js",
        "deep.js",
        "inner%2Fdeep.js",
        "huge.js",
        "array.js%00",
        "array.js%00.js",
        ".js",
        "..js",
        "a" * 300 + ".js",
        "array.JS",
        "",
        "%ff.js",
        "é.js",
    ],
)
def test_nothing_but_the_files_of_the_folder(client: httpx.Client, path: str) -> None:
    # Not through the client's own tidying of paths.
    raw = httpx.URL(client.base_url).copy_with(raw_path=f"/static/{quote(path, safe='%/')}".encode())
    response = client.get(raw, headers=PAGE)
    assert refusal(response) == (404, "invalid_request", "not_found", None)
    assert "secret" not in response.text
    assert readable(response)


def test_without_a_folder_there_are_no_files(site: Site) -> None:
    response = site.bare().get("/static/array.js", headers=PAGE)
    assert (refusal(response)[0], readable(response)) == (404, True)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/s/", "POST"),
        ("/rrweb", "POST"),
        ("/flags/?v=2", "POST"),
        ("/relay/decide/?v=3", "POST"),
        ("/relay/array/phc_x/config", "GET"),
        ("/array/phc_x/config.js", "GET"),
        ("/static/1.449.2/lazy-recorder.js", "GET"),
    ],
)
def test_preflight_of_every_route(client: httpx.Client, path: str, method: str) -> None:
    asked = {**PAGE, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type,x-custom"}
    response = client.options(path, headers=asked)
    assert (response.status_code, response.content, readable(response)) == (204, b"", True)
    assert response.headers["access-control-allow-headers"] == "content-type,x-custom"
    assert response.headers["access-control-allow-credentials"] == "true"
    assert method in response.headers["access-control-allow-methods"]
    elsewhere = client.options(path, headers={**asked, "Origin": "https://other.example"})
    assert "access-control-allow-origin" not in elsewhere.headers
    assert elsewhere.headers["vary"] == "Origin"


def test_refusals_of_the_framework_can_be_read_too(client: httpx.Client) -> None:
    for response in (client.get("/s/", headers=PAGE), client.delete("/relay/flags/", headers=PAGE)):
        assert (refusal(response)[0], readable(response)) == (405, True)


def test_config_while_the_database_is_away(site: Site) -> None:
    class Away:
        def connection(self) -> Any:
            raise site.services.outages[0]("secret address")

    with served(replace(site.services, tokens=Tokens(Away()))) as client:
        for response in (
            client.get(f"/array/{site.project_token}/config", headers=PAGE),
            client.get(f"/array/{site.project_token}/config.js", headers=PAGE),
            client.post("/flags/", json={"token": site.project_token}, headers=PAGE),
        ):
            assert (refusal(response)[0], readable(response)) == (503, True)
            assert "cache-control" not in response.headers


def test_another_environments_token_is_as_good(site: Site, client: httpx.Client) -> None:
    """And nothing tells whose a token is."""
    other = site.accounts.create_environment(site.system, site.organization_id, "Config")
    site.caught_up(other.position)
    own, theirs = (client.get(f"/array/{token}/config") for token in (site.project_token, other.project_token))
    assert own.json() == theirs.json()
    assert urlsplit(str(own.url)).path != urlsplit(str(theirs.url)).path
