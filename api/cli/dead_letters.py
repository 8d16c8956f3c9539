"""`dead-letters`: records that a consumer called poison, and partitions that stopped because of too many.

A letter is its consumer group's: replayed, that group alone handles it again.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from api.cli.opening import AsJson, Home, opened, settings_for
from api.failures import Failure
from consumers.transports.dead_letters import MAX_LISTED, Letter, Selection, discard, newest_letters, replay
from consumers.transports.port import Refused, Unavailable

app = typer.Typer(help="Records that could not be handled, and partitions that they stopped.", no_args_is_help=True)

LISTED = 50

Numbers = Annotated[list[int] | None, typer.Argument(min=1, metavar="[NUMBER]...", help="Numbers that `list` shows.")]
Group = Annotated[str | None, typer.Option(help="Only of this consumer group.")]
Topic = Annotated[str | None, typer.Option(help="Only of this topic, named without the prefix.")]
Every = Annotated[bool, typer.Option("--all", help="Every letter; needed when nothing else says which.")]


@app.command("list")
def list_letters(
    group: Group = None,
    topic: Topic = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LISTED, help="How many, the newest first.")] = LISTED,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Lists the newest dead letters, one a line."""
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        letters = newest_letters(connection, limit, Selection(group, topic))
    for letter in letters:
        print(_json(letter) if as_json else _line(letter))


@app.command("replay")
def replay_letters(
    numbers: Numbers = None,
    group: Group = None,
    topic: Topic = None,
    every: Every = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Has letters handled again by the group that could not, within seconds.

    A letter goes away when its group's handler succeeds. In groups that handle a key in order, it waits for earlier
    letters of its key.
    """
    selection = _selection(numbers, group, topic, every=every)
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        _told(replay(connection, selection), "replayed", "are handed back to their groups", as_json=as_json)


@app.command("discard")
def discard_letters(
    numbers: Numbers = None,
    group: Group = None,
    topic: Topic = None,
    every: Every = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Gives letters up for good. A key of which none is left is handled again."""
    selection = _selection(numbers, group, topic, every=every)
    with opened(settings_for(home)) as running, running.pool.connection() as connection:
        _told(discard(connection, selection), "discarded", "are discarded", as_json=as_json)


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


def _selection(numbers: list[int] | None, group: str | None, topic: str | None, *, every: bool) -> Selection:
    if not (numbers or group or topic or every):
        raise Failure("say which letters: numbers, --group, --topic, or --all")
    if numbers and len(numbers) > MAX_LISTED:
        raise Failure(f"more than {MAX_LISTED} numbers at once")
    return Selection(group, topic, numbers or None)


def _told(count: int, name: str, text: str, *, as_json: bool) -> None:
    print(json.dumps({name: count}) if as_json else f"{count} dead letters {text}")


def _json(letter: Letter) -> str:
    return json.dumps({**letter._asdict(), "at": letter.at.isoformat()})


def _line(letter: Letter) -> str:
    """Errors quote what strangers sent: nothing in it may steer the terminal."""
    error = "".join(sign if sign.isprintable() else " " for sign in f"{letter.error_class}: {letter.error}")
    where = f"{letter.topic}/{letter.partition}@{letter.offset}"
    return f"{letter.id} {letter.at:%Y-%m-%d %H:%M:%S%z} {letter.group} {where} {letter.state} {error}"
