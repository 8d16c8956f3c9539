"""`projections`: the read side's upkeep."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.opening import Home, opened, settings_for
from api.failures import Failure
from commands.store.event_log import EventLog
from projections.catalogue import PROJECTIONS, named
from projections.engine.parking import replay
from projections.engine.projection import Projection
from projections.engine.rebuilding import rebuild

app = typer.Typer(help="Read tables built from the event log.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the projection.")]


@app.command("rebuild")
def rebuild_projection(name: Name, home: Home = None) -> None:
    """Builds the tables anew beside the live ones, compares, and swaps."""
    with opened(settings_for(home)) as running:
        report = rebuild(running.database_url, _projection(name), EventLog())
    print(f"{name}: generation {report.generation} to position {report.position} in {report.seconds:.1f} s")
    for difference in report.differences:
        print(f"  {difference}")


@app.command("replay")
def replay_parked(name: Name, home: Home = None) -> None:
    """Feeds the streams again that were parked because of an event that could not be applied."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        outcome = replay(connection, _projection(name), EventLog())
    print(f"{name}: {len(outcome.released)} streams released, {len(outcome.failed)} still parked")


def _projection(name: str) -> Projection:
    try:
        return named(name)
    except KeyError as error:
        message = f"there is no projection '{name}'; there are: {', '.join(p.name for p in PROJECTIONS)}"
        raise Failure(message) from error
