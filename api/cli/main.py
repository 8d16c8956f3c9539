"""The command `replay-vision`."""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main() -> None:
    """Runs the command. Ctrl-C ends it quietly at any moment, also while its parts are still being imported."""
    try:
        from api.cli.program import run  # noqa: PLC0415 - within the try

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
