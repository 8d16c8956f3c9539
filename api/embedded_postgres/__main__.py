"""Runs one command beside an embedded PostgreSQL.

`python -m api.embedded_postgres [--home FOLDER] COMMAND ... {url} ...`

`{url}` in the command becomes the server's address. Without a home the database is a temporary one, with production's
settings. The exit code is the command's.
"""

import argparse
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from api.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError


def main() -> int:
    """Parses the arguments, runs the command, and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m api.embedded_postgres", description=__doc__)
    parser.add_argument("--home", type=Path, help="home folder whose database to use (default: a temporary one)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    if not given.command:
        parser.error("no command to run")
    with ExitStack() as stack:
        if given.home is None:
            postgres = EmbeddedPostgres(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.callback(postgres.destroy)
        else:
            postgres = EmbeddedPostgres(given.home)
        url = stack.enter_context(postgres.borrowed())
        command = [argument.replace("{url}", url) for argument in given.command]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbeddedPostgresError as error:
        sys.exit(f"embedded PostgreSQL: {error}")
