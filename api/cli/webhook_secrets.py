"""`admin webhook-secret`: by which receivers of webhooks know that they come from here."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from api.cli.opening import AsJson, Home, opened, settings_for, show_rows
from projections.engine.waiting import wait_for
from projections.queries.delivery import list_webhook_secrets

app = typer.Typer(help="Secrets that sign an environment's webhooks.", no_args_is_help=True)

WAIT_SECONDS = 2.0


@app.command("create")
def create(
    environment_id: Annotated[int, typer.Option("--environment")], home: Home = None, as_json: AsJson = False
) -> None:
    """Makes a secret and shows it, once. Webhooks are signed with each one that is not retired, up to three."""
    with opened(settings_for(home)) as running:
        made = running.webhook_secrets.create(running.context("cli"), environment_id)
        if made.position is not None:
            wait_for(running.pool, ["delivery"], made.position, WAIT_SECONDS)
    shown = {"id": made.number, "secret": made.secret}
    print(json.dumps(shown) if as_json else "\n".join(f"{name}: {value}" for name, value in shown.items()))


@app.command("list")
def list_all(
    environment_id: Annotated[int | None, typer.Option("--environment", help="Only of this environment.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lists secrets that are not retired. What they are is never shown again."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        found = list_webhook_secrets(connection, environment_id)
    show_rows(found, as_json=as_json)


@app.command("retire")
def retire(secret_id: int, home: Home = None, as_json: AsJson = False) -> None:
    """Ends a secret and erases it. Retire it when every receiver knows another."""
    with opened(settings_for(home)) as running:
        position = running.webhook_secrets.retire(running.context("cli"), secret_id)
        if position is not None:
            wait_for(running.pool, ["delivery"], position, WAIT_SECONDS)
    print(json.dumps({"retired": secret_id}) if as_json else f"retired: {secret_id}")
