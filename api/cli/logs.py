"""Logging of our processes: one line an entry on standard error."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


REPEAT_SECONDS = 600.0
"""How long a library's line that differs in numbers only is held back."""
MAX_KNOWN = 1_000
"""Lines that are remembered; then all are news again."""

_NUMBERS = re.compile(r"\d+")


class NewsOnly(logging.Filter):
    """Lets the Kafka client's lines pass when they bring news. Broken connections are warnings without a traceback.

    While brokers are away it says several times a second that a connection failed. What that means for us is said by
    whoever wanted something of the brokers, with the reason.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != "kafka":
            return True
        now, text = time.monotonic(), record.getMessage()
        line = _NUMBERS.sub("#", f"{record.name} {text}")
        with self._lock:
            at, held_back = self._told.get(line, (-REPEAT_SECONDS, 0))
            news = now - at >= REPEAT_SECONDS
            if len(self._told) >= MAX_KNOWN and line not in self._told:
                self._told.clear()
            self._told[line] = (now, 0) if news else (at, held_back + 1)
        if not news:
            return False
        more = f" ({held_back} more such lines since the last one)" if held_back else ""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or isinstance(error, OSError):
            cause = f": {error}" if error and str(error) not in text else ""
            record.msg, record.args, record.exc_info = f"{text}{cause}{more}", None, None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class _Lines(logging.Formatter):
    """time level logger: message key=value ..."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        extra = " ".join(f"{key}={value}" for key, value in record.__dict__.items() if key not in _STANDARD)
        return f"{line} {extra}" if extra else line


def set_up_logs(level: int = logging.WARNING) -> None:
    """Entries of this level and above; libraries that log normal operation as errors are held to theirs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(NewsOnly())
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # It warns of every step of a group that forms, and of every connection that it tries again.
    logging.getLogger("kafka").setLevel(logging.ERROR)
