"""The command `replay-vision`."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from api.cli import admin, projections, roles, sessions, up
from api.cli.failures import Failure, settings_problem
from api.embedded_postgres import EmbeddedPostgresError
from commands.store.migrations import MigrationError
from domain.errors import VisionError

app = typer.Typer(
    name="replay-vision",
    help="Watches recorded web sessions so that people don't have to.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("serve")(roles.serve)
app.command("worker")(roles.worker)
app.add_typer(admin.app, name="admin")
app.add_typer(sessions.app, name="sessions")
app.add_typer(projections.app, name="projections")


def main() -> None:
    """Runs the command; what went wrong is one line on standard error and exit status 1 (2 for wrong usage)."""
    try:
        app()
    except ValidationError as error:
        _fail(settings_problem(error))
    except (VisionError, Failure, EmbeddedPostgresError, MigrationError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str) -> None:
    print(f"replay-vision: {message}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
