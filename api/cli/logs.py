"""Logging of our processes: one line an entry on standard error."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


REPEAT_SECONDS = 600.0
"""How long a line of the Kafka client that differs in numbers only is held back."""
OUR_REPEAT_SECONDS = 60.0
"""The same for our own warnings of what is away and tried again."""
OURS = ("consumers.transports", "consumers.scheduler", "consumers.relay", "replay_vision.http.capture")
"""Loggers that warn at every attempt, of every group, topic and request, while brokers or the database are away."""
MAX_KNOWN = 1_000
"""Lines that are remembered; then all are news again."""

_NUMBERS = re.compile(r"\d+")


class NewsOnly(logging.Filter):
    """Lets the Kafka client's lines, and warnings of `OURS`, pass when they bring news. Errors of ours always pass.

    While brokers are away the client says several times a second that a connection failed. What that means for us is
    said by whoever wanted something of the brokers, with the reason. The client's broken connections become warnings
    without a traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        seconds = _held_back_for(record)
        if not seconds:
            return True
        now, text = time.monotonic(), record.getMessage()
        line = _NUMBERS.sub("#", f"{record.name} {text}")
        with self._lock:
            at, held_back = self._told.get(line, (-seconds, 0))
            news = now - at >= seconds
            if len(self._told) >= MAX_KNOWN and line not in self._told:
                self._told.clear()
            self._told[line] = (now, 0) if news else (at, held_back + 1)
        if not news:
            return False
        error = record.exc_info[1] if record.exc_info else None
        if _below("kafka", record.name) and (error is None or isinstance(error, OSError)):
            text += f": {error}" if error and str(error) not in text else ""
            record.exc_info = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        more = f" ({held_back} more such lines since the last one)" if held_back else ""
        record.msg, record.args = f"{text}{more}", None
        return True


def _held_back_for(record: logging.LogRecord) -> float:
    """Seconds for which lines like this one are held back once it is told; 0 when each is told."""
    if _below("kafka", record.name):
        return REPEAT_SECONDS
    ours = record.levelno == logging.WARNING and any(_below(name, record.name) for name in OURS)
    return OUR_REPEAT_SECONDS if ours else 0.0


def _below(name: str, logger: str) -> bool:
    return f"{logger}.".startswith(f"{name}.")


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
