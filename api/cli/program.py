"""The commands of `replay-vision`, and what becomes of their errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import typer
from pydantic import ValidationError

from api.embedded_postgres.errors import EmbeddedPostgresError
from api.failures import Failure, settings_problem
from commands.store.migrations import MigrationError
from domain.errors import VisionError

COMMANDS = ("up", "serve", "worker", "health", "admin", "sessions", "projections", "dead-letters", "evaluate")
"""Each is a module of this package: a function of the same name, or an `app` of its own with further commands.

A dash in a command is an underscore in the name of its module.
"""


def run() -> None:
    """Runs the command; what went wrong is one line on standard error and exit status 1 (2 for wrong usage)."""
    try:
        _app(sys.argv[1] if len(sys.argv) > 1 else "")()
    except ValidationError as error:
        _fail(settings_problem(error))
    except (VisionError, Failure, EmbeddedPostgresError, MigrationError, OSError) as error:
        _fail(str(error))


def _app(wanted: str) -> typer.Typer:
    """The command that is wanted, or all of them: importing the rest would double the time to start."""
    app = typer.Typer(
        name="replay-vision",
        help="Watches recorded web sessions so that people don't have to.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    # A callback keeps a single command from becoming the whole program.
    app.callback()(_nothing)
    for name in (wanted,) if wanted in COMMANDS else COMMANDS:
        module = import_module(f"api.cli.{name.replace('-', '_')}")
        group: typer.Typer | None = getattr(module, "app", None)
        if group is not None:
            app.add_typer(group, name=name)
        else:
            command: Callable[..., None] = getattr(module, name)
            app.command(name)(command)
    return app


def _nothing() -> None:
    """Watches recorded web sessions so that people don't have to."""


def _fail(message: str) -> None:
    print(f"replay-vision: {message}", file=sys.stderr)
    sys.exit(1)
