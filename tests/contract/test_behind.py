"""After a crash the read tables may be as they were a moment ago (ADR 7): what they lack is 503 until they have it."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest

from commands.accounts import CreatedEnvironment, new_key
from tests.capture.traffic import until
from tests.contract.site import Site, refusal, scanner
from tests.contract.test_capture import PAGE, published, snapshot

NOT_NOW = (503, "server_error", "error", None)
INVALID_KEY = (401, "authentication_error", "authentication_failed", None)
UNKNOWN_TOKEN = (401, "authentication_error", "unknown_token", None)
RUNNER = "replay-vision projections"
MOVE = "UPDATE projection.position SET position = %s WHERE name = 'accounts' AND live"


@pytest.fixture(scope="module")
def bare(site: Site) -> httpx.Client:
    return site.bare()


def rewind(site: Site, position: int, *forgotten: tuple[str, Sequence[Any]]) -> None:
    """As a crash leaves the tables of accounts: position and rows of an earlier moment. The idle runner cannot know."""
    site.standing()
    with site.services.pool.connection() as conn, conn.transaction():
        for statement, values in forgotten:
            conn.execute(statement, values)
        assert conn.execute(MOVE, (position,)).rowcount == 1


def go_on(site: Site) -> None:
    """As after a crash: the runner connects again, finds where the tables are, and feeds them up to the head."""
    with site.services.pool.connection() as conn:
        stopped = conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE application_name = %s AND datname = current_database()",
            (RUNNER,),
        ).fetchall()
        assert stopped
    site.standing()


def forget_environment(site: Site, created: CreatedEnvironment) -> None:
    assert created.position is not None
    rewind(site, created.position - 1, ("DELETE FROM read_accounts.environment WHERE id = %s", (created.id,)))


def ask(bare: httpx.Client, environment_id: int, key: str) -> httpx.Response:
    return bare.get(f"/api/environments/{environment_id}/vision/scanners/", headers={"Authorization": f"Bearer {key}"})


def test_a_key_that_the_tables_lack_is_no_invalid_key(site: Site, bare: httpx.Client) -> None:
    issued = site.accounts.issue_key(site.system, site.email, "just now", ("*",), ())
    assert issued.position is not None
    rewind(site, issued.position - 1, ("DELETE FROM read_accounts.api_key WHERE prefix = %s", (issued.prefix,)))
    assert refusal(ask(bare, site.environment_id, issued.key)) == NOT_NOW
    assert refusal(ask(bare, site.environment_id, new_key())) == NOT_NOW
    assert refusal(ask(bare, site.environment_id, "x" * 300)) == INVALID_KEY, "it cannot be one of ours"
    go_on(site)
    assert ask(bare, site.environment_id, issued.key).status_code == 200
    assert refusal(ask(bare, site.environment_id, new_key())) == INVALID_KEY


def test_a_project_that_the_tables_lack(site: Site, bare: httpx.Client) -> None:
    key = site.key()
    created = site.accounts.create_environment(site.system, site.organization_id, "Just now")
    forget_environment(site, created)
    assert refusal(ask(bare, created.id, key)) == NOT_NOW
    assert ask(bare, site.environment_id, key).status_code == 200, "what is there is there"
    go_on(site)
    assert ask(bare, created.id, key).status_code == 200
    assert ask(bare, 999_999, key).status_code == 404


def test_a_browser_whose_token_the_tables_lack_is_to_send_again(site: Site, bare: httpx.Client) -> None:
    created = site.accounts.create_environment(site.system, site.organization_id, "Just now")
    forget_environment(site, created)
    session_id = f"{uuid4()}"
    body = [snapshot(created.project_token, session_id)]
    response = bare.post("/s/", json=body, headers=PAGE)
    assert refusal(response) == NOT_NOW
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    assert refusal(bare.post("/s/", json=[snapshot("phc_unknown")])) == NOT_NOW
    assert bare.post("/s/", json=[snapshot(site.project_token)]).status_code == 200
    assert published(site, session_id) == 0
    go_on(site)
    assert bare.post("/s/", json=body).status_code == 200
    assert published(site, session_id) == 1
    assert refusal(bare.post("/s/", json=[snapshot("phc_unknown")])) == UNKNOWN_TOKEN


def test_a_body_that_is_known_in_part_is_not_taken_in_part(site: Site, bare: httpx.Client) -> None:
    """The SDK sends the whole body again or not at all."""
    created = site.accounts.create_environment(site.system, site.organization_id, "Just now")
    forget_environment(site, created)
    first, second = f"{uuid4()}", f"{uuid4()}"
    body = [snapshot(site.project_token, first), snapshot(created.project_token, second)]
    assert refusal(bare.post("/s/", json=body)) == NOT_NOW
    assert (published(site, first), published(site, second)) == (0, 0)
    go_on(site)
    assert bare.post("/s/", json=body).status_code == 200
    assert (published(site, first), published(site, second)) == (1, 1)


def test_tables_that_are_made_anew_know_nobody_yet(site: Site, bare: httpx.Client) -> None:
    key = site.key()
    tables = ("organization", "environment", "member", "api_key")
    rewind(site, 0, *((f"DELETE FROM read_accounts.{table}", ()) for table in tables))
    assert refusal(ask(bare, site.environment_id, key)) == NOT_NOW
    # A token that was asked for within the last second is still known.
    until(lambda: bare.post("/s/", json=[snapshot(site.project_token)]).status_code != 200)
    assert refusal(bare.post("/s/", json=[snapshot(site.project_token)])) == NOT_NOW
    go_on(site)
    assert ask(bare, site.environment_id, key).status_code == 200
    assert bare.post("/s/", json=[snapshot(site.project_token)]).status_code == 200


def test_events_of_other_kinds_make_nobody_wait(site: Site, bare: httpx.Client) -> None:
    """Else whoever tries keys out while others write would be told 503 and come again."""
    scanner(site.client(), "busy")
    with site.services.pool.connection() as conn:
        (head,) = conn.execute("SELECT max(notification_id) FROM store.events").fetchone()
    rewind(site, head - 1)
    assert refusal(ask(bare, site.environment_id, new_key())) == INVALID_KEY
    assert refusal(bare.post("/s/", json=[snapshot("phc_unknown")])) == UNKNOWN_TOKEN
    go_on(site)
