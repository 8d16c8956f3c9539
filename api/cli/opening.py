"""How commands beside `up` reach the database of their home, and how they show what they found there."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from api.bootstrap import OUTAGES, Runtime, refuse_empty, refuse_other_transport, runtime
from api.embedded_postgres import EmbeddedPostgres
from api.failures import Failure, outage
from api.settings import Settings

Home = Annotated[Path | None, typer.Option("--home", help="Home folder of the installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def settings_for(home: Path | None) -> Settings:
    return Settings() if home is None else Settings(home=home)


@contextmanager
def opened(settings: Settings) -> Generator[Runtime]:
    """The parts over the database of the settings; the embedded one is borrowed from `up`, or started meanwhile.

    Raises NotSetUp, and Failure when the secret is missing or the transport is not the installation's.
    """
    with database(settings) as url, runtime(settings, url, secret_of(settings), connections=4) as running:
        refuse_empty(running)
        refuse_other_transport(running)
        yield running


@contextmanager
def database(settings: Settings, *, create: bool = False) -> Generator[str]:
    """The address of the database; with `create` an embedded one is made where there is none.

    Raises Failure when it, or the transport over it, does not answer, now or within the block.
    """
    try:
        if settings.database_url is not None:
            yield settings.database_url
            return
        postgres = EmbeddedPostgres(settings.home)
        if not create:
            postgres.url  # noqa: B018 - raises when this home has no database: a mistyped one must not get one
        with postgres.borrowed() as url:
            yield url
    except OUTAGES as error:
        raise outage(error) from error


def secret_of(settings: Settings) -> bytes:
    try:
        return settings.secret(create=False)
    except ValueError as error:
        raise Failure(str(error)) from error


def show_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Prints what was asked to be listed: one JSON document, or a line a row."""
    if as_json:
        print(json.dumps(rows, default=str))
        return
    for row in rows:
        print("  ".join(f"{name}={value}" for name, value in row.items()))
