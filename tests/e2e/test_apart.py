"""Roles as processes of their own, two of each, on either transport: the main job, kills of every role, restarts."""

from __future__ import annotations

import itertools
import subprocess
import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.apart import COMMAND, ROLES, SERVE, Apart
from tests.e2e.job import CONFIGS, create, ended, send
from tests.live import RECORDINGS, ROOT, bare_environment, free_port, posts, request, wait_until
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.timeout(420)

QUICK = {"settle_seconds": "2", "sweep_seconds": "1", "min_duration_seconds": "1", "min_active_seconds": "0"}


@pytest.mark.parametrize("words", [("serve",), ("worker",), ("worker", "--role", "relay")])
def test_an_empty_database_is_refused(database_url: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    given = {"DATABASE_URL": database_url, "HOME": str(tmp_path), "SECRET_KEY": "k" * 40, "PORT": str(free_port())}
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=ROOT,
        env={**bare_environment(), **{f"REPLAY_VISION_{name}": value for name, value in given.items()}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "not set up" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(params=["postgres", pytest.param("kafka", marks=pytest.mark.broker)])
def apart(request: pytest.FixtureRequest, durable_database_url: str, tmp_path: Path) -> Iterator[Apart]:
    transport = {}
    if request.param == "kafka":
        server = request.getfixturevalue("kafka_server")
        transport = {"kafka_bootstrap_servers": server.bootstrap, "kafka_topic_prefix": f"{tmp_path.name}."[-40:]}
    with Apart(tmp_path, durable_database_url, **QUICK, **transport) as installation:
        yield installation


def test_the_main_job_goes_on_when_any_role_is_killed(apart: Apart) -> None:
    """By schedule, without a manual step: each session is recorded while a copy of another role dies."""
    scanners = [create(apart, kind, kind) for kind in CONFIGS]
    sessions: list[str] = []
    for role, recording in zip((*ROLES, SERVE), RECORDINGS, strict=False):
        apart.kill(role, 0)
        sessions.append(send(apart, recording))
        for scanner in scanners:
            wait_until(
                lambda scanner=scanner: ended(apart, scanner["id"], sessions[-1]),
                90,
                f"{role} killed: {scanner['name']} has no observation of {sessions[-1]}",
            )
        apart.start(role, 0)
    apart.wait_until_ready()
    assert apart.dead() == {}
    for scanner in scanners:
        found = apart.observations(scanner["id"])
        assert sorted(o["session_id"] for o in found) == sorted(sessions)
        assert {(o["status"], o["triggered_by"]) for o in found} == {("succeeded", "schedule")}
    with psycopg.connect(apart.database_url) as conn:
        assert conn.execute("SELECT count(*) FROM log.dead_letter").fetchone() == (0,)
        # Nothing is left anywhere, and each ending is there once.
        assert conn.execute("SELECT count(*) FROM store.in_flight WHERE count > 0").fetchone() == (0,)
        endings = (
            "SELECT count(*), count(DISTINCT originator_id) FROM store.events WHERE topic = 'ObservationSucceeded'"
        )
        expected = len(scanners) * len(sessions)
        assert conn.execute(endings).fetchone() == (expected, expected)


def test_a_rolling_restart_loses_nothing_and_refuses_nobody(apart: Apart) -> None:
    """Every process in turn ends in order and comes back, while sessions are recorded and observed."""
    scanner = create(apart, "rolling", "summarizer", enabled=False)
    over = threading.Event()
    observed: list[str] = []
    refused: list[str] = []

    def work() -> None:
        for turn in itertools.count():
            if over.wait(0.1):
                return
            session = f"nobody-{turn}"
            try:
                answer = apart.call("POST", f"scanners/{scanner['id']}/observe/", {"session_id": session})
            except OSError:
                continue  # nobody answered, as between two processes of a copy: a client asks the next
            if answer.status == HTTPStatus.ACCEPTED:
                observed.append(session)
            else:
                refused.append(f"{answer.status} {answer.body}")

    client = threading.Thread(target=work)
    client.start()
    try:
        for role, number in apart.members:
            assert apart.stop(role, number) == 0, f"{role} {number} did not end in order"
            apart.start(role, number)
        apart.wait_until_ready()
    finally:
        over.set()
        client.join()
    assert refused == []
    assert len(observed) > 20

    def endings() -> set[str]:
        page = apart.call("GET", f"scanners/{scanner['id']}/observations/?limit=1000&status=ineligible").body
        assert page["count"] <= 1000
        return {found["session_id"] for found in page["results"]}

    wait_until(lambda: endings() >= set(observed), 60, "an accepted observation has no ending")
    assert len(apart.observations(scanner["id"])) == len(endings())


def test_without_the_brokers_nothing_is_accepted_that_could_be_lost(
    own_kafka_server: KafkaServer, durable_database_url: str, tmp_path: Path
) -> None:
    """Recordings are answered 503, which browsers repeat; what needs no broker goes on and is handled later."""
    kafka = {"kafka_bootstrap_servers": own_kafka_server.bootstrap}
    with Apart(tmp_path, durable_database_url, copies=1, **QUICK, **kafka) as apart:
        scanner = create(apart, "patient", "summarizer", enabled=False)
        body, query, kind = next(posts(RECORDINGS[0], apart.credentials["project_token"]))
        assert apart.post_recording(body, query, kind).status == 200
        own_kafka_server.freeze()
        try:
            assert apart.post_recording(body, query, kind).status == 503
            answer = apart.call("POST", f"scanners/{scanner['id']}/observe/", {"session_id": "nobody"})
            assert answer.status == 202, answer.body
            ready = wait_until(lambda: _not_ready(apart), 30, "/readyz says that all is well")
            assert any("transport" in reason for reason in ready["reasons"]), ready
            assert request("GET", f"{apart.address}/healthz", None, {}).status == 200
        finally:
            own_kafka_server.thaw()
        wait_until(lambda: ended(apart, scanner["id"], "nobody"), 60, "not handled when the brokers were back")
        wait_until(lambda: apart.post_recording(body, query, kind).status == 200, 30, "recordings are still refused")
        apart.wait_until_ready()
        assert apart.dead() == {}


def _not_ready(apart: Apart) -> dict[str, Any] | None:
    answer = apart.readiness()
    return answer.body if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else None
