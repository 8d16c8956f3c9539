"""`admin environment set-test-accounts`, `set-actions` and `show`: what recording filters refer to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.opening import AsJson, Home, opened, settings_for
from domain.errors import Invalid, NotFound
from projections.engine.waiting import wait_for
from projections.queries.accounts import environment_document, tenant_of
from projections.queries.definitions import defined
from projections.queries.retention import kept_days_of

SHORT_WAIT_SECONDS = 2.0

LARGEST_FILE = 1_000_000
"""Bytes; more than any list that is accepted."""

File = Annotated[Path, typer.Option("--file", help="A JSON list.", exists=True, dir_okay=False, readable=True)]


def set_test_accounts(environment_id: int, file: File, home: Home = None, as_json: AsJson = False) -> None:
    """Sets the property filters that all hold for sessions that are no tests (`filter_test_accounts`)."""
    filters = _listed(file, "test_accounts")
    with opened(settings_for(home)) as running:
        made = running.accounts.set_test_accounts(running.context("cli"), environment_id, filters)
        if made.position is not None:
            wait_for(running.pool, ["accounts"], made.position, SHORT_WAIT_SECONDS)
    _print({"id": environment_id, "test_accounts": made.value}, as_json=as_json)


def set_actions(environment_id: int, file: File, home: Home = None, as_json: AsJson = False) -> None:
    """Defines what the `actions` of recording filters mean, all of them at once."""
    actions = _listed(file, "actions")
    with opened(settings_for(home)) as running:
        made = running.accounts.define_actions(running.context("cli"), environment_id, actions)
        if made.position is not None:
            wait_for(running.pool, ["accounts"], made.position, SHORT_WAIT_SECONDS)
    _print({"id": environment_id, "actions": made.value}, as_json=as_json)


def show(environment_id: int, home: Home = None, as_json: AsJson = False) -> None:
    """Shows an environment: its project token, how long it keeps recordings, its test accounts and actions."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        tenant = tenant_of(connection, environment_id)
        if tenant is None:
            message = f"There is no environment {environment_id}."
            raise NotFound(message)
        values = {
            "id": environment_id,
            **environment_document(connection, tenant),
            "retention_days": kept_days_of(connection, tenant),
            **defined(connection, tenant),
        }
    _print(values, as_json=as_json)


def _listed(file: Path, field: str) -> Any:
    if file.stat().st_size > LARGEST_FILE:
        raise Invalid(field, "invalid_input", f"The file has more than {LARGEST_FILE:,} bytes.")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Invalid(field, "invalid_input", f"{file} holds no JSON: {error}") from error


def _print(values: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(values))
    else:
        print("\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()))
