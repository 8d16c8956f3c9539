"""The services of compose.yaml run, each with its own command line: no engine, but the real programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from api.roles import ROLES
from tests.compose.container import Container
from tests.compose.reading import is_ours, written
from tests.compose.stack import Stack
from tests.live import RECORDINGS, posts, request, wait_until
from tests.servers.missing import ServerUnavailable, give_up

pytestmark = [pytest.mark.broker, pytest.mark.s3, pytest.mark.timeout(290)]

PASSWORD = "postgres0password"
ENV = {
    "REPLAY_VISION_SECRET_KEY": "k" * 40,
    "REPLAY_VISION_PUBLIC_URL": "https://vision.example.org",
    "POSTGRES_PASSWORD": PASSWORD,
    "S3_ACCESS_KEY": "access",
    "S3_SECRET_KEY": "secret",
}
SCANNER = {
    "name": "composed",
    "scanner_type": "summarizer",
    "scanner_config": {"prompt": "What happened?"},
    "provider": "builtin",
    "model": "builtin",
}
TERMINATED = 143
"""Exit status of a Java that SIGTERM has ended in order."""
ENDED = {
    **{name: 0 for name, service in written()["services"].items() if is_ours(service) and name != "bootstrap"},
    "postgres": 0,
    "kafka": TERMINATED,
    "s3": TERMINATED,
}


@pytest.fixture
def stack() -> Iterator[Stack]:
    try:
        made = Stack(ENV)
    except ServerUnavailable as error:
        give_up("broker", str(error))
    with made:
        yield made


class Api:
    """The published port, with the first key."""

    def __init__(self, stack: Stack) -> None:
        self.address = f"http://127.0.0.1:{stack.network.port('serve', 8000)}"
        # As the README and the file itself tell how to see it.
        shown = stack.containers["bootstrap"].run("cat", "/data/credentials.json")
        assert shown.returncode == 0, shown.stderr
        self.credentials = json.loads(shown.stdout)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        headers = {"Authorization": f"Bearer {self.credentials['api_key']}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        answer = request(method, f"{self.address}/api/environments/1/vision/{path}", data, headers)
        return answer.status, answer.body

    def record(self, session: str) -> None:
        [sample] = [each for each in RECORDINGS if each.name.startswith(session)]
        for body, query, content_type in posts(sample, self.credentials["project_token"]):
            answer = request("POST", f"{self.address}/s/{query}", body, {"Content-Type": content_type})
            assert answer.status == 200, answer.body


def captured(stack: Stack, session: str) -> bool:
    address = f"postgresql://replay_vision:{PASSWORD}@127.0.0.1:{stack.network.port('postgres', 5432)}/replay_vision"
    with psycopg.connect(address) as connection:
        found = connection.execute("SELECT 1 FROM capture.session WHERE session_id = %s", (session,)).fetchone()
    return found is not None


def still_healthy_when_frozen(containers: list[Container]) -> list[str]:
    """The names of those whose health check would not see that they hang. A worker's is tested by itself: it waits."""
    with ExitStack() as thawing, ThreadPoolExecutor() as threads:
        for container in containers:
            thawing.enter_context(container.frozen())
        healthy = list(threads.map(Container.healthy, containers))
    return [container.name for container, well in zip(containers, healthy, strict=True) if well]


def test_every_service_does_its_part_and_stops_in_order_twice(stack: Stack) -> None:
    session = min(RECORDINGS).name.removesuffix(".jsonl.gz")
    stack.up()
    api = Api(stack)
    assert api.credentials["url"] == ENV["REPLAY_VISION_PUBLIC_URL"]
    status, scanner = api.call("POST", "scanners/", SCANNER)
    assert status == 201, scanner
    observations = f"scanners/{scanner['id']}/observations/"
    api.record(session)
    wait_until(lambda: captured(stack, session), 60, "the recording was not captured")

    status, asked = api.call("POST", f"scanners/{scanner['id']}/observe/", {"session_id": session})
    assert status == 202, asked

    def done() -> bool:
        _, page = api.call("GET", observations)
        return bool(page["results"]) and page["results"][0]["status"] not in {"pending", "running"}

    wait_until(done, 60, "not scanned")
    _, page = api.call("GET", observations)
    assert [each["status"] for each in page["results"]] == ["succeeded"], page
    bucket = stack.volumes / "s3" / "replay-vision"
    assert any(path.is_file() for path in (bucket / "recordings").rglob("*"))
    hangs = ["serve", "postgres", "kafka", "s3"]
    assert still_healthy_when_frozen([stack.containers[name] for name in hangs]) == []
    made = stack.containers["serve"].run("replay-vision", "admin", "organization", "create", "Second", "--json")
    assert made.returncode == 0, made.stderr
    ended = stack.down()
    assert ended == ENDED, ended

    stack.up()
    assert "This database is already set up." in stack.containers["bootstrap"].output()
    assert Api(stack).credentials == api.credentials
    _, page = api.call("GET", observations)
    assert [each["status"] for each in page["results"]] == ["succeeded"]
    wait_until(lambda: request("GET", f"{api.address}/readyz", None, {}).status == 200, 60, "not ready")
    ended = stack.down()
    assert ended == ENDED, ended


def test_nothing_is_left_out() -> None:
    assert ENDED.keys() == {"serve", *ROLES, "postgres", "kafka", "s3"}
