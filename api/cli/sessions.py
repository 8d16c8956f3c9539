"""`sessions`: recordings from files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from api.cli.opening import AsJson, Home, opened, settings_for
from api.failures import Failure
from consumers.capture.importing.files import recordings_in
from consumers.capture.importing.importer import Imported, import_files
from consumers.capture.wire.refusals import CaptureRefused
from domain.errors import NotFound
from projections.queries.accounts import tenant_of

app = typer.Typer(help="Recorded sessions.", no_args_is_help=True)


@app.callback()
def sessions() -> None:
    """Recorded sessions."""


@app.command("import")
def import_sessions(
    files: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    environment: Annotated[int, typer.Option(help="Id of the environment they go to.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Imports recordings as if browsers sent them now. One line a session; bad files do not stop the others."""
    settings = settings_for(home)
    failed = 0
    with opened(settings) as running:
        with running.pool.connection() as connection:
            if tenant_of(connection, environment) is None:
                message = f"There is no environment {environment}."
                raise NotFound(message)
        console = Console(stderr=True)
        with Progress(
            TextColumn("Importing"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as progress:
            task = progress.add_task("Importing", total=sum(_count(path) for path in files))
            for imported in import_files(files, running.sender, environment, running.clock()):
                progress.console.file.flush()
                for line in _lines(imported, as_json=as_json):
                    print(line, flush=True)
                progress.advance(task)
                failed += imported.error is not None
    if failed:
        message = f"{failed} of the files were not imported whole"
        raise Failure(message)


def _count(path: Path) -> int:
    try:
        return len(recordings_in(path))
    except (CaptureRefused, OSError):
        return 1


def _lines(imported: Imported, *, as_json: bool) -> list[str]:
    """A line for each session of the file, and one for what is wrong with the file."""
    lines = [_line({"file": imported.path.name, **asdict(session)}, as_json=as_json) for session in imported.sessions]
    if imported.error is not None:
        lines.append(_line({"file": imported.path.name, "error": imported.error}, as_json=as_json))
    return lines


def _line(values: dict[str, object], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(values)
    return "  ".join(f"{name}={value}" for name, value in values.items())
