"""`admin integration`: tokens by which reports reach other products."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api.cli.opening import AsJson, Home, opened, settings_for, show_rows
from api.failures import Failure
from projections.engine.waiting import wait_for
from projections.queries.integrations import list_integrations

app = typer.Typer(help="Ways into other products, for delivery.", no_args_is_help=True)
create = typer.Typer(help="Gives an environment a token of another product.", no_args_is_help=True)
app.add_typer(create, name="create")

WAIT_SECONDS = 2.0
TOKEN_BYTES = 8192


@create.command("slack")
def create_slack(
    environment_id: Annotated[int, typer.Option("--environment")],
    token_file: Annotated[Path, typer.Option(help="File with the bot token. It is kept encrypted.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lets actions of an environment post to Slack with a bot token."""
    try:
        with token_file.open(encoding="utf-8") as file:
            token = file.read(TOKEN_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"the token cannot be read from {token_file}: {error}") from error
    with opened(settings_for(home)) as running:
        number, position = running.integrations.create(running.context("cli"), environment_id, "slack", token)
        if position is not None:
            wait_for(running.pool, ["integrations"], position, WAIT_SECONDS)
    print(json.dumps({"id": number}) if as_json else f"id: {number}")


@app.command("list")
def list_all(
    environment_id: Annotated[int | None, typer.Option("--environment", help="Only of this environment.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lists integrations. Tokens are never shown."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        found = list_integrations(connection, environment_id)
    show_rows(found, as_json=as_json)


@app.command("delete")
def delete(integration_id: int, home: Home = None, as_json: AsJson = False) -> None:
    """Ends an integration and erases its token. Actions that use it keep their settings and can no longer deliver."""
    with opened(settings_for(home)) as running:
        position = running.integrations.delete(running.context("cli"), integration_id)
        if position is not None:
            wait_for(running.pool, ["integrations"], position, WAIT_SECONDS)
    print(json.dumps({"deleted": integration_id}) if as_json else f"deleted: {integration_id}")
