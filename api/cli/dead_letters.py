"""`dead-letters`: records that a consumer called poison, and partitions that stopped because of too many."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from api.cli.opening import AsJson, Home, opened, settings_for
from api.failures import Failure
from consumers.transports.dead_letters import MAX_LISTED, Letter, newest_letters
from consumers.transports.port import Refused, Unavailable

app = typer.Typer(help="Records that could not be handled, and partitions that they stopped.", no_args_is_help=True)

LISTED = 50


@app.command("list")
def list_letters(
    group: Annotated[str | None, typer.Option(help="Only of this consumer group.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only of this topic, named without the prefix.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED, help="How many, the newest first.")] = LISTED,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lists the newest dead letters, one a line."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        letters = newest_letters(connection, limit, group, topic)
    for letter in letters:
        print(_json(letter) if as_json else _line(letter))


@app.command("resume")
def resume_partition(
    group: Annotated[str, typer.Argument(help="Consumer group.")],
    topic: Annotated[str, typer.Argument(help="Topic, without the prefix.")],
    partition: Annotated[int, typer.Argument(min=0, help="Number of the partition.")],
    home: Home = None,
) -> None:
    """Lets a partition go on that stopped after too many dead letters, or that rests after errors."""
    with opened(settings_for(home)) as running:
        try:
            found = running.transport.resume(group, topic, partition)
        except (Refused, Unavailable) as error:
            raise Failure(str(error)) from error
    if not found:
        raise Failure(f"the group '{group}' does not consume partition {partition} of a topic '{topic}'")
    print(f"{group}: {topic}/{partition} goes on")


def _json(letter: Letter) -> str:
    return json.dumps({**letter._asdict(), "at": letter.at.isoformat()})


def _line(letter: Letter) -> str:
    """Errors quote what strangers sent: nothing in it may steer the terminal."""
    error = "".join(sign if sign.isprintable() else " " for sign in f"{letter.error_class}: {letter.error}")
    where = f"{letter.topic}/{letter.partition}@{letter.offset}"
    return f"{letter.at:%Y-%m-%d %H:%M:%S%z} {letter.group} {where} {error}"
