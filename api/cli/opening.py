"""How commands beside `up` reach the database of their home."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from api.bootstrap import Runtime, refuse_empty, runtime
from api.cli.failures import Failure
from api.embedded_postgres import EmbeddedPostgres
from api.settings import Settings

Home = Annotated[Path | None, typer.Option("--home", help="Home folder of the installation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def settings_for(home: Path | None) -> Settings:
    return Settings() if home is None else Settings(home=home)


@contextmanager
def opened(settings: Settings) -> Generator[Runtime]:
    """The parts over the database of the settings; the embedded one is borrowed from `up`, or started meanwhile.

    Raises NotSetUp, and Failure when the secret is missing.
    """
    with database(settings) as url:
        refuse_empty(url)
        with runtime(settings, url, secret_of(settings), connections=4) as running:
            yield running


@contextmanager
def database(settings: Settings) -> Generator[str]:
    """The address of the database."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with EmbeddedPostgres(settings.home).borrowed() as url:
        yield url


def secret_of(settings: Settings) -> bytes:
    try:
        return settings.secret(create=False)
    except ValueError as error:
        raise Failure(str(error)) from error
