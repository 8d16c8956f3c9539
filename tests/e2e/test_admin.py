"""The admin commands, as an operator uses them while the server runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg_pool import ConnectionPool

from api.roles import TOPIC_OF
from commands.context import Context
from commands.endpoints import Endpoints
from commands.store.application import Store
from consumers.transports.port import Outgoing
from consumers.transports.postgres import PostgresTransport
from domain.event import Actor
from domain.tenant import Tenant
from tests.live import ROOT, Live, request, wait_until

pytestmark = pytest.mark.timeout(240)


def run(live: Live, *words: str) -> subprocess.CompletedProcess[str]:
    """A command against the home of the running server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REPLAY_VISION_")}
    return subprocess.run(
        [sys.executable, "-m", "api.cli.main", *words, "--home", str(live.home)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def printed(live: Live, *words: str) -> dict[str, Any]:
    done = run(live, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read(live: Live, key: str, environment: int) -> int:
    url = f"{live.address}/api/environments/{environment}/vision/scanners/"
    return request("GET", url, None, {"Authorization": f"Bearer {key}"}).status


def test_an_organization_with_its_environments_users_and_keys(live: Live) -> None:
    made = printed(live, "admin", "organization", "create", "Acme", "--monthly-quota", "7")
    assert made.keys() == {"id", "name", "monthly_quota"}
    assert (made["name"], made["monthly_quota"]) == ("Acme", 7)
    changed = printed(live, "admin", "organization", "set-quota", made["id"], "9")
    assert changed == {**made, "monthly_quota": 9}
    granted = printed(live, "admin", "organization", "grant", made["id"], "5", "--expires", "2099-01-31")
    assert granted["monthly_quota"] == 14

    one = printed(
        live, "admin", "environment", "create", "Shop", "--organization", made["id"], "--timezone", "Asia/Tokyo"
    )
    other = printed(live, "admin", "environment", "create", "Blog", "--organization", made["id"])
    assert isinstance(one["id"], int)
    assert one["project_token"] != other["project_token"]

    email = f"rina-{one['id']}@example.org"
    user = printed(live, "admin", "user", "create", email, "--organization", made["id"], "--first-name", "Rina")
    assert isinstance(user["id"], int)
    assert user["email"] == email

    confined = ["--scope", "replay_scanner:read", "--environment", str(one["id"])]
    key = printed(live, "admin", "key", "create", "reader", "--user", email, *confined)["key"]
    assert key.startswith("phx_")
    assert read(live, key, one["id"]) == 200
    assert read(live, key, other["id"]) == 403
    assert read(live, key, 1) == 403

    listed = json.loads(run(live, "admin", "key", "list", "--json").stdout)
    mine = next(entry for entry in listed if entry["prefix"] == key[:12])
    assert mine["scopes"] == ["replay_scanner:read"]
    assert mine["last_used_at"] is not None
    assert key not in json.dumps(listed)

    assert run(live, "admin", "key", "revoke", key[:12]).returncode == 0
    wait_until(lambda: read(live, key, one["id"]) == 401, 10, "a revoked key still works")


def test_the_retention_of_an_environment(live: Live) -> None:
    organization = live.credentials["organization_id"]
    made = printed(live, "admin", "environment", "create", "Brief", "--organization", organization)
    words = ("admin", "environment", "set-retention", str(made["id"]))
    assert printed(live, *words, "7") == {"id": made["id"], "retention_days": 7, "default": False}
    assert printed(live, *words, "default") == {"id": made["id"], "retention_days": 30, "default": True}
    for bad, says in (("0", "from 1 to"), ("99999", "from 1 to"), ("soon", "neither")):
        done = run(live, *words, bad)
        assert (done.returncode, says in done.stderr) == (1, True), done.stderr


def test_test_accounts_and_actions_of_an_environment(live: Live, tmp_path: Path) -> None:
    organization = live.credentials["organization_id"]
    made = printed(live, "admin", "environment", "create", "Defining", "--organization", organization)
    number = str(made["id"])
    known = {**made, "timezone": "UTC", "retention_days": 30}
    assert printed(live, "admin", "environment", "show", number) == {**known, "test_accounts": [], "actions": []}
    file = tmp_path / "list.json"
    filters = [{"key": "email", "type": "person", "operator": "not_icontains", "value": "@acme.example"}]
    file.write_text(json.dumps(filters))
    done = printed(live, "admin", "environment", "set-test-accounts", number, "--file", str(file))
    assert done == {"id": made["id"], "test_accounts": filters}
    actions = [{"id": 3, "name": "Bought", "steps": [{"event": "bought"}]}]
    file.write_text(json.dumps(actions))
    assert printed(live, "admin", "environment", "set-actions", number, "--file", str(file))["actions"] == actions
    shown = printed(live, "admin", "environment", "show", number)
    assert shown == {**known, "test_accounts": filters, "actions": actions}
    file.write_text("[{]")
    refused = run(live, "admin", "environment", "set-actions", number, "--file", str(file))
    assert refused.returncode != 0
    assert "JSON" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_webhook_secrets(live: Live) -> None:
    organization = live.credentials["organization_id"]
    made = printed(live, "admin", "environment", "create", "Signing", "--organization", organization)
    of_it = ("--environment", str(made["id"]))
    secrets = [printed(live, "admin", "webhook-secret", "create", *of_it) for _ in range(3)]
    assert all(secret.keys() == {"id", "secret"} for secret in secrets)
    assert all(secret["secret"].startswith("whsec_") for secret in secrets)
    full = run(live, "admin", "webhook-secret", "create", *of_it)
    assert (full.returncode, "retire one first" in full.stderr) == (1, True)
    listed = run(live, "admin", "webhook-secret", "list", *of_it, "--json").stdout
    assert [secret["id"] for secret in json.loads(listed)] == [secret["id"] for secret in secrets]
    assert "whsec_" not in listed
    retired = printed(live, "admin", "webhook-secret", "retire", str(secrets[0]["id"]))
    assert retired == {"retired": secrets[0]["id"]}


def test_endpoints_that_kept_failing(live: Live) -> None:
    hook: dict[str, Any] = {"type": "webhook", "url": "https://hooks.example.org/x"}
    tenant = Tenant(live.credentials["environment_id"], UUID(live.credentials["organization_id"]))
    began = datetime.now(UTC)
    context = Context(Actor(type="system", role="delivery"), began, uuid4(), tenant)
    store = Store(live.database_url)
    try:
        Endpoints(store).disable(context, hook, reason="The endpoint is gone (410).", failing_since=began)
    finally:
        store.close()

    def warned() -> bool:
        told = request("GET", f"{live.address}/readyz", None, {}).body
        assert told["ready"]
        return any("admin endpoint list" in warning for warning in told["warnings"])

    def listed() -> list[dict[str, Any]]:
        return json.loads(run(live, "admin", "endpoint", "list", "--environment", "1", "--json").stdout)

    wait_until(warned, 10, "a warning")
    (endpoint,) = listed()
    assert (endpoint["type"], endpoint["target"]) == ("webhook", hook["url"])
    assert endpoint["reason"] == "The endpoint is gone (410)."
    assert printed(live, "admin", "endpoint", "enable", endpoint["id"]) == {"enabled": endpoint["id"]}
    assert listed() == []
    wait_until(lambda: not warned(), 10, "no warning")
    unknown = run(live, "admin", "endpoint", "enable", str(uuid4()))
    assert (unknown.returncode, "There is no endpoint" in unknown.stderr) == (1, True)


def test_what_was_not_delivered_is_listed_and_an_unknown_run_refused(live: Live) -> None:
    assert json.loads(run(live, "admin", "delivery", "list", "--json").stdout) == []
    unknown = "0197b2aa-9a01-7c44-b1d2-7e0e5a6b1c55"
    refused = run(live, "admin", "delivery", "redeliver", unknown, unknown)
    assert (refused.returncode, "There is no run" in refused.stderr) == (1, True)


def test_a_rotated_token_stops_at_once(live: Live) -> None:
    organization = live.credentials["organization_id"]
    made = printed(live, "admin", "environment", "create", "Rotating", "--organization", organization)
    fresh = printed(live, "admin", "environment", "rotate-token", str(made["id"]))["project_token"]
    assert fresh != made["project_token"]
    body = json.dumps(
        [
            {
                "event": "$snapshot",
                "uuid": "01a209bc-0000-7000-8000-000000000001",
                "properties": {
                    "token": made["project_token"],
                    "$session_id": "s",
                    "$window_id": "w",
                    "distinct_id": "d",
                    "$snapshot_data": [{"type": 4, "timestamp": 1795459675942, "data": {"href": "http://a.test/"}}],
                },
            }
        ]
    ).encode()
    assert live.post_recording(body).status == 401
    assert live.post_recording(body.replace(made["project_token"].encode(), fresh.encode())).status == 200


def test_slack_integrations_take_their_token_from_a_file_and_never_show_it(live: Live, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("xoxb-canary-token\n", encoding="utf-8")
    words = ("admin", "integration", "create", "slack", "--environment", "1", "--token-file", str(token))
    made = printed(live, *words)
    assert made.keys() == {"id"}
    assert isinstance(made["id"], int)
    done = run(live, "admin", "integration", "list", "--json")
    [listed] = json.loads(done.stdout)
    assert {name: listed[name] for name in ("id", "type", "environment")} == {
        "id": made["id"], "type": "slack", "environment": 1,
    }  # fmt: skip
    assert "canary" not in done.stdout + run(live, "admin", "integration", "list").stdout
    assert printed(live, "admin", "integration", "delete", str(made["id"])) == {"deleted": made["id"]}
    assert json.loads(run(live, "admin", "integration", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("admin", "bootstrap"), "already set up"),
        (("admin", "key", "create", "x", "--user", "nobody@example.org"), "no user"),
        (("admin", "key", "revoke", "phx_nothing0"), "no key"),
        (("admin", "environment", "create", "x", "--organization", "00000000-0000-0000-0000-000000000000"), "no organ"),
        (("admin", "integration", "delete", "77"), "no integration 77"),
        (
            ("admin", "integration", "create", "slack", "--environment", "1", "--token-file", "no-such-file"),
            "cannot be read",
        ),
        (
            ("admin", "integration", "create", "slack", "--environment", "99", "--token-file", "LICENSE"),
            "no environment 99",
        ),
        (("sessions", "import", "no-such-file", "--environment", "1"), "not imported"),
        (("sessions", "import", "recordings", "--environment", "99"), "no environment"),
        (("projections", "rebuild", "nothing"), "no projection"),
    ],
)
def test_what_cannot_be_done_is_one_plain_line(live: Live, words: tuple[str, ...], says: str) -> None:
    done = run(live, *words)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_projections_are_rebuilt_while_the_server_runs(live: Live) -> None:
    for name in ("scanners", "observations", "actions", "accounts", "integrations", "quota", "recordings", "history"):
        done = run(live, "projections", "rebuild", name)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 1, f"differences: {done.stdout}"


def test_migrations_are_all_there_and_nothing_is_stopped(live: Live) -> None:
    assert printed(live, "admin", "migrate", "--dry-run") == {"dry_run": True, "migrations": []}
    done = run(live, "dead-letters", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")


def test_dead_letters_are_replayed_and_discarded(live: Live) -> None:
    def listed() -> list[dict[str, Any]]:
        return [json.loads(line) for line in run(live, "dead-letters", "list", "--json").stdout.splitlines()]

    made: ConnectionPool = ConnectionPool(live.database_url, min_size=1, kwargs={"autocommit": True}, open=True)
    with made as pool:
        junk = Outgoing(b"junk", b"\x1b[31mno event", "junk")
        PostgresTransport(live.database_url, pool).publish("events", [junk])
    reading = {group for group, topic in TOPIC_OF.items() if topic == "events"}
    wait_until(lambda: {letter["group"] for letter in listed()} == reading, 30, "every group that reads events has one")
    assert {letter["state"] for letter in listed()} == {"dead"}
    assert "\x1b" not in run(live, "dead-letters", "list").stdout

    number = next(letter["id"] for letter in listed() if letter["group"] == "scanning")
    assert printed(live, "dead-letters", "replay", str(number)) == {"replayed": 1}
    wait_until(lambda: all(letter["state"] == "dead" for letter in listed()), 30, "junk is junk the second time too")
    assert printed(live, "dead-letters", "discard", "--group", "scanning") == {"discarded": 1}
    assert {letter["group"] for letter in listed()} == reading - {"scanning"}
    refused = run(live, "dead-letters", "discard")
    assert (refused.returncode, "say which letters" in refused.stderr) == (1, True)
    assert printed(live, "dead-letters", "discard", "--all") == {"discarded": len(reading) - 1}
    assert listed() == []


def test_sessions_are_imported_from_files(live: Live, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b"\x1f\x8bnot gzip")
    good = sorted((ROOT / "recordings").glob("*.jsonl.gz"))[3]
    done = run(live, "sessions", "import", str(bad), str(good), "--environment", "1", "--json")
    assert done.returncode == 1
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["file"], bool(first["error"])) == (bad.name, True)
    assert (second["file"], second["session_id"]) == (good.name, good.name.removesuffix(".jsonl.gz"))
    assert second["events"] > 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"SETTLE_SECONDS": "soon"}, "SETTLE_SECONDS"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_USERNAME": "u"}, "KAFKA_PASSWORD"),
        (
            {"KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "secret"},
            "KAFKA_SECURITY_PROTOCOL",
        ),
        ({"KAFKA_CA_FILE": "no-such-file.pem"}, "KAFKA_CA_FILE"),
    ],
)
def test_a_setting_without_sense_is_named(live: Live, settings: dict[str, str], named: str) -> None:
    given = {f"REPLAY_VISION_{name}": value for name, value in {**settings, "HOME": str(live.home)}.items()}
    command = [sys.executable, "-m", "api.cli.main", "worker"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert f"REPLAY_VISION_{named}" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
