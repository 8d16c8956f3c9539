"""`admin endpoint`: where deliveries kept failing, and switching it on again."""

from __future__ import annotations

import json
from typing import Annotated
from uuid import UUID

import typer

from api.cli.opening import AsJson, Home, opened, settings_for, show_rows
from projections.engine.waiting import wait_for
from projections.queries.delivery import list_disabled_endpoints

app = typer.Typer(help="Where reports go, when it kept failing and was switched off.", no_args_is_help=True)

WAIT_SECONDS = 2.0


@app.command("list")
def list_all(
    environment_id: Annotated[int | None, typer.Option("--environment", help="Only of this environment.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lists the endpoints that are switched off, with the last error of each."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        found = list_disabled_endpoints(connection, environment_id)
    show_rows(found, as_json=as_json)


@app.command("enable")
def enable(endpoint_id: UUID, home: Home = None, as_json: AsJson = False) -> None:
    """Switches an endpoint on again: the next report is sent there. Saving an action's delivery does so, too."""
    with opened(settings_for(home)) as running:
        position = running.endpoints.enable(running.context("cli"), endpoint_id)
        if position is not None:
            wait_for(running.pool, ["delivery"], position, WAIT_SECONDS)
    print(json.dumps({"enabled": str(endpoint_id)}) if as_json else f"enabled: {endpoint_id}")
