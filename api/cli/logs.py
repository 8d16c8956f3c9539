"""Logging of our processes: one line an entry on standard error."""

from __future__ import annotations

import logging
import sys

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class _Lines(logging.Formatter):
    """time level logger: message key=value ..."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        extra = " ".join(f"{key}={value}" for key, value in record.__dict__.items() if key not in _STANDARD)
        return f"{line} {extra}" if extra else line


def set_up_logs(level: int = logging.WARNING) -> None:
    """Entries of this level and above; libraries that log normal operation as errors are held to theirs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # It warns of every step of a group that forms, and of every connection that it tries again.
    logging.getLogger("kafka").setLevel(logging.ERROR)
