"""Contract 3.5: filters, search, orders, pages; tenants; what the documents hold."""

from uuid import UUID, uuid4

import orjson
import pytest
from psycopg import Connection

from domain.tenant import Tenant
from projections.queries import scanners
from projections.queries.scanners import ScannerFilters
from tests.projections.world import START, World, catch_up


def names(connection: Connection, world: World, order_by: str | None = None, **filters: object) -> list[str]:
    count, rows = scanners.page(connection, world.tenant, ScannerFilters(**filters), order_by)  # type: ignore[arg-type]
    assert count == len(rows)
    return [row["name"] for row in rows]


@pytest.mark.rule("3.1/config-as-stored", "3.3/as-sent", "2.5/keys")
def test_the_document_holds_what_was_stored_to_the_letter(world: World, connection: Connection) -> None:
    config = {"scale": {"min": 0, "max": 10.0, "label": None}, "prompt": "Wie ärgerlich? \u2028"}
    query = {"kind": "RecordingsQuery", "filter_test_accounts": True, "properties": []}
    scanner_id = world.scanner("S", "scorer", scanner_config=config, query=query, sampling_rate=0.25, description="d")
    catch_up(connection)
    found = scanners.scanner(connection, world.tenant, scanner_id)
    assert found is not None
    assert orjson.dumps(found["scanner_config"]) == orjson.dumps(config)
    assert orjson.dumps(found["query"]) == orjson.dumps(query)
    creator = found.pop("created_by")
    assert (creator["id"], creator["email"], creator["first_name"]) == (1, "admin@example.org", "Admin")
    assert list(creator) == [
        "id", "uuid", "distinct_id", "first_name", "last_name", "email", "is_email_verified", "hedgehog_config",
        "role_at_organization",
    ]  # fmt: skip
    assert found["created_at"] == found["updated_at"] == found["last_swept_at"] + scanners.SETTLE > START
    assert {name: found[name] for name in ("id", "sampling_rate", "scanner_version", "enabled", "description")} == {
        "id": scanner_id, "sampling_rate": 0.25, "scanner_version": 1, "enabled": True, "description": "d",
    }  # fmt: skip


def test_edits_and_deletion(world: World, connection: Connection) -> None:
    scanner_id, kept = world.scanner("Before"), world.scanner("Kept")
    world.scanners.edit(world.context(), scanner_id, {"name": "After", "description": "x", "enabled": False})
    world.scanners.edit(world.context(), scanner_id, {"scanner_config": {"prompt": "New words"}, "emits_signals": True})
    catch_up(connection)
    found = scanners.scanner(connection, world.tenant, scanner_id)
    assert found is not None
    assert (found["name"], found["scanner_version"], found["enabled"]) == ("After", 2, False)
    assert found["updated_at"] > found["created_at"]
    assert names(connection, world, search="new WORDS") == ["After"]
    before = found["updated_at"]
    world.scanners.skip_gap(world.context(), scanner_id, 3, 9, "quota_exhausted")
    catch_up(connection)
    found = scanners.scanner(connection, world.tenant, scanner_id)
    assert found is not None
    assert found["updated_at"] == before
    assert (
        scanners.version(connection, world.tenant, scanner_id)
        == world.scanners.load(world.context(), scanner_id).version
    )
    world.scanners.delete(world.context(), scanner_id)
    catch_up(connection)
    assert scanners.scanner(connection, world.tenant, scanner_id) is None
    assert scanners.version(connection, world.tenant, scanner_id) is None
    assert names(connection, world) == ["Kept"]
    assert scanners.scanner(connection, world.tenant, kept) is not None


@pytest.mark.rule("3.5/search-fields", "3.5/search-literal", "3.5/search-whole")
@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["100%", "Plain", "under_score"]),
        ("%", ["100%"]),
        ("_", ["under_score"]),
        ("UNDER", ["under_score"]),
        ("describes", ["Plain"]),
        ("strasse", ["Plain"]),
        ("promptly asked", ["100%"]),
        ("Plain describes", []),
        ("\\", []),
        ("'; --", []),
        ("\x1f", ["100%", "Plain"]),
    ],
)
def test_search_is_a_literal_part_of_one_field(
    world: World, connection: Connection, search: str, found: list[str]
) -> None:
    world.scanner("Plain", description="Describes a Straße")
    world.scanner("100%", scanner_config={"prompt": "Promptly asked"})
    world.scanner("under_score", scanner_config={"prompt": "x"})
    catch_up(connection)
    assert names(connection, world, search=search) == found


def test_filters(world: World, connection: Connection) -> None:
    user = world.accounts.create_user(world.admin(), world.tenant.organization_id, "rina@example.org", "Rina", "O").id
    world.scanner("m", "monitor", emits_signals=True)
    world.scanner("c", "classifier", enabled=False)
    world.scanners.create(
        world.context(user_id=user), name="s", scanner_type="summarizer", scanner_config={"prompt": "p"},
        provider="builtin", model="builtin",
    )  # fmt: skip
    catch_up(connection)
    assert names(connection, world, enabled=True) == ["m", "s"]
    assert names(connection, world, enabled=False) == ["c"]
    assert names(connection, world, scanner_types=("monitor", "classifier")) == ["c", "m"]
    assert names(connection, world, emits_signals=True) == ["m"]
    assert names(connection, world, emits_signals=False) == ["c", "s"]
    assert names(connection, world, created_by=(user,)) == ["s"]
    assert names(connection, world, created_by=(user, 99)) == ["s"]
    assert names(connection, world, created_by=(99,)) == []
    assert names(connection, world, enabled=True, scanner_types=("monitor",), search="m") == ["m"]


@pytest.mark.rule("3.5/order-keys", "3.5/order-creator", "3.5/order-no-creator")
def test_orders(world: World, connection: Connection) -> None:
    admin = world.accounts.create_user(world.admin(), world.tenant.organization_id, "zoe@example.org").id
    for name, user, rate in (("b", 1, 0.5), ("a", None, 0.1), ("c", admin, 1.0)):
        world.scanners.create(
            world.context(user_id=user), name=name, scanner_type="monitor", scanner_config={"prompt": "p"},
            provider="builtin", model="builtin", sampling_rate=rate, enabled=name != "b",
        )  # fmt: skip
    catch_up(connection)
    assert names(connection, world) == ["a", "b", "c"]
    assert names(connection, world, "-name") == ["c", "b", "a"]
    assert names(connection, world, "created_at") == ["b", "a", "c"]
    assert names(connection, world, "-updated_at") == ["c", "a", "b"]
    assert names(connection, world, "sampling_rate") == ["a", "b", "c"]
    assert names(connection, world, "enabled")[0] == "b"
    assert names(connection, world, "-enabled")[2] == "b"
    # By what is displayed: "Admin" before "zoe@example.org"; nobody comes last in both directions.
    assert names(connection, world, "created_by") == ["b", "c", "a"]
    assert names(connection, world, "-created_by") == ["c", "b", "a"]
    with pytest.raises(KeyError):
        names(connection, world, "id; DROP TABLE")


@pytest.mark.rule("2.4/ties")
def test_ties_go_by_id_and_pages_neither_repeat_nor_lose(world: World, connection: Connection) -> None:
    ids = sorted(str(world.scanner(f"n{n}", scanner_config={"prompt": "p"})) for n in range(7))
    catch_up(connection)
    for order_by in ("scanner_type", "-scanner_type"):
        seen: list[UUID] = []
        for offset in range(0, 9, 3):
            count, rows = scanners.page(connection, world.tenant, ScannerFilters(), order_by, 3, offset)
            assert count == 7
            seen += [row["id"] for row in rows]
        assert [str(found) for found in seen] == ids


def test_another_tenant_sees_nothing(world: World, connection: Connection) -> None:
    scanner_id = world.scanner()
    catch_up(connection)
    other = Tenant(2, uuid4())
    assert scanners.scanner(connection, other, scanner_id) is None
    assert scanners.page(connection, other, ScannerFilters()) == (0, [])


def test_null_characters_do_not_park_a_scanner(world: World, connection: Connection) -> None:
    scanner_id = world.scanner(scanner_config={"prompt": "a \x00 b"}, description="\x00")
    catch_up(connection)
    found = scanners.scanner(connection, world.tenant, scanner_id)
    assert found is not None
    assert found["scanner_config"] == {"prompt": "a \x00 b"}
    assert found["description"] == "\ufffd"
