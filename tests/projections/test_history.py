"""Extensions, Audit: every event tells who, when, from which value to which; pages, filters, tenants."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson
import pytest
from psycopg import Connection

from domain.errors import Invalid
from domain.event import EVENT_CLASSES
from domain.observation import Usage
from domain.tenant import Tenant
from projections import facts
from projections.queries import history
from projections.queries.history import HistoryFilters
from tests.projections.world import CONFIGS, World, catch_up


def entries(connection: Connection, world: World, **filters: Any) -> list[dict[str, Any]]:
    return history.page(connection, world.tenant, HistoryFilters(**filters), limit=1000).entries


def test_every_event_class_is_told() -> None:
    assert set(facts._FACTS) == set(EVENT_CLASSES.values())  # noqa: SLF001


def test_changes_go_from_which_value_to_which(world: World, connection: Connection) -> None:
    scanner_id = world.scanner("Old")
    world.scanners.edit(world.context(), scanner_id, {"name": "New", "sampling_rate": 0.5, "enabled": False})
    world.scanners.delete(world.context(), scanner_id)
    catch_up(connection)
    created, renamed, reconfigured, disabled, deleted = entries(connection, world, stream=str(scanner_id))
    assert (created["type"], created["stream"], created["version"]) == (
        "ScannerCreated", {"type": "scanner", "id": scanner_id}, 1,
    )  # fmt: skip
    assert created["id"] == f"{scanner_id}:1"
    assert {"field": "scanner_config", "before": None, "after": CONFIGS["monitor"]} in created["changes"]
    assert renamed["changes"] == [{"field": "name", "before": "Old", "after": "New"}]
    assert reconfigured["changes"] == [
        {"field": "sampling_rate", "before": 1.0, "after": 0.5},
        {"field": "scanner_version", "before": 1, "after": 2},
    ]
    assert disabled["changes"] == [{"field": "enabled", "before": True, "after": False}]
    assert deleted["changes"] == [{"field": "deleted", "before": None, "after": True}]
    assert deleted["actor"]["type"] == "key"
    assert (deleted["actor"]["user"]["id"], deleted["actor"]["key_prefix"]) == (1, "phx_12345678")
    assert renamed["correlation_id"] == disabled["correlation_id"] != deleted["correlation_id"]
    assert created["recorded_at"] < renamed["recorded_at"]


def test_tries_without_an_answer_tell_what_they_took_each_anew(world: World, connection: Connection) -> None:
    (observation_id,) = world.observe(world.scanner(), "s1")
    used = Usage(2, 2400, 160, Decimal("0.00364"), 61_250, "p" * 64, "a" * 64)
    for number in (1, 2):
        lease = world.start(observation_id, try_number=number)
        why: dict[str, Any] = {"kind": "provider_transient", "message": "503", "retry_at": world.clock()}
        world.observations.fail_try(world.context(), lease, usage=used, **why)
    world.observations.abandon(world.context(), observation_id, 1, message="Stopped.")
    catch_up(connection)
    _, _, first, _, second, abandoned = entries(connection, world, stream=str(observation_id))
    told = {**asdict(used), "cost_usd": "0.00364"}
    for entry in (first, second):
        assert {"field": "usage", "before": None, "after": told} in entry["changes"]
    assert "usage" not in [change["field"] for change in abandoned["changes"]], "nobody knows"


def test_private_text_hashes_and_leases_stay_out(world: World, connection: Connection) -> None:
    (observation_id,) = world.observe(world.scanner(), "s1")
    world.succeed(world.start(observation_id, distinct_id="visitor-88"))
    world.accounts.issue_key(world.admin(), "admin@example.org", "ci", ["*"])
    catch_up(connection)
    rows = connection.execute("SELECT changes::text FROM read_history.entry").fetchall()
    everything = orjson.dumps(rows).decode()
    for secret in ("declined", "visitor-88", "admin@example.org", "key_hash", "lease", 'digest": "'):
        assert secret not in everything
    requested, started, succeeded = entries(connection, world, stream=str(observation_id))
    assert {"field": "status", "before": None, "after": "pending"} in requested["changes"]
    assert {"field": "status", "before": "pending", "after": "running"} in started["changes"]
    assert {"field": "status", "before": "running", "after": "succeeded"} in succeeded["changes"]


def test_filters(world: World, connection: Connection) -> None:
    scanner_id = world.scanner("a")
    world.observations.request(world.context(user_id=None), scanner_id, ["s1"], "schedule")
    world.scanners.edit(world.context(), scanner_id, {"name": "b"})
    catch_up(connection)
    everything = entries(connection, world)
    kinds = [entry["type"] for entry in everything]
    assert kinds == ["EnvironmentCreated", "ScannerCreated", "ObservationRequested", "ScannerRenamed"]
    assert [e["type"] for e in entries(connection, world, types=("ScannerRenamed", "Nothing"))] == ["ScannerRenamed"]
    assert [e["type"] for e in entries(connection, world, actor="selection")] == ["ObservationRequested"]
    assert [e["type"] for e in entries(connection, world, actor="phx_12345678")] == kinds[1:2] + kinds[3:]
    assert entries(connection, world, actor="1") == entries(connection, world, actor="key")
    assert entries(connection, world, actor="9" * 40) == []
    assert [e["type"] for e in entries(connection, world, stream="observation")] == ["ObservationRequested"]
    at = everything[2]["recorded_at"]
    assert [e["type"] for e in entries(connection, world, after=at)] == kinds[2:]
    assert [e["type"] for e in entries(connection, world, before=at)] == kinds[:2]


def test_cursors_walk_both_ways(world: World, connection: Connection) -> None:
    scanner_id = world.scanner("n0")
    for number in range(1, 8):
        world.scanners.edit(world.context(), scanner_id, {"name": f"n{number}"})
    catch_up(connection)
    wanted = [entry["position"] for entry in entries(connection, world)]
    forward: list[list[int]] = []
    cursor: str | None = None
    while True:
        page = history.page(connection, world.tenant, HistoryFilters(), cursor, 4)
        forward.append([entry["position"] for entry in page.entries])
        if page.next is None:
            break
        cursor = page.next
    assert [position for part in forward for position in part] == wanted
    assert page.previous is not None
    back = history.page(connection, world.tenant, HistoryFilters(), page.previous, 4)
    assert [entry["position"] for entry in back.entries] == forward[-2]
    assert back.next is not None
    assert history.page(connection, world.tenant, HistoryFilters(), back.next, 4).entries == page.entries
    for bad in ("x", "eA", "YWZ0ZXI6eA", "\u00e9", "YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5"):
        with pytest.raises(Invalid) as caught:
            history.page(connection, world.tenant, HistoryFilters(), bad)
        assert caught.value.field == "cursor"


def test_another_tenant_sees_nothing(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    catch_up(connection)
    other = Tenant(2, uuid4())
    assert history.page(connection, other, HistoryFilters()).entries == []
    assert history.page(connection, other, HistoryFilters(stream=str(scanner_id))).entries == []
