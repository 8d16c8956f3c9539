"""`admin delivery`: reports that have not arrived, and sending them again."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from api.cli.opening import AsJson, Home, opened, settings_for, show_rows
from domain.errors import NotFound
from projections.engine.waiting import wait_for
from projections.queries.delivery import UNDELIVERED, list_deliveries, owner_of_run

app = typer.Typer(help="Reports of actions on their way to people.", no_args_is_help=True)

WAIT_SECONDS = 2.0


class Standing(StrEnum):
    """How a delivery stands."""

    pending = "pending"
    succeeded = "succeeded"
    abandoned = "abandoned"


@app.command("list")
def list_all(
    environment_id: Annotated[int | None, typer.Option("--environment", help="Only of this environment.")] = None,
    status: Annotated[Standing | None, typer.Option(help="Only those; without it all that have not succeeded.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lists deliveries, those of the latest runs first, with the last error of each."""
    statuses = UNDELIVERED if status is None else (status.value,)
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        found = list_deliveries(connection, environment_id, statuses)
    show_rows(found, as_json=as_json)


@app.command("redeliver")
def redeliver(run_id: UUID, delivery_id: UUID, home: Home = None, as_json: AsJson = False) -> None:
    """Sends a run's report again, with the same id as before. DELIVERY_ID and RUN_ID are those of the list."""
    with opened(settings_for(home)) as running:
        with running.pool.connection() as connection:
            owner = owner_of_run(connection, run_id)
        if owner is None:
            raise NotFound(f"There is no run {run_id}.")
        tenant, action_id = owner
        context = replace(running.context("cli"), tenant=tenant)
        try:
            written = running.action_runs.redeliver(context, action_id, run_id, delivery_id)
        except NotFound as error:
            raise NotFound(f"There is no delivery {delivery_id} of this run.") from error
        if written.position is not None:
            wait_for(running.pool, ["action_runs"], written.position, WAIT_SECONDS)
    print(json.dumps({"redelivering": str(delivery_id)}) if as_json else f"redelivering: {delivery_id}")
