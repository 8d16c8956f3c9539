"""Console lines as the recorder's console plugin reports them (capture 4)."""

import json
import re
from typing import Final

from consumers.scanning.evidence.happenings import Logged
from consumers.scanning.evidence.masking import clean

PLUGIN: Final = "rrweb/console@1"
MAX_LINES: Final = 2_000
CHARS: Final = 200
"""Console text kept, as Sentry cuts it (capture 6)."""

_UNCAUGHT = re.compile(r"^\W*(?:uncaught|unhandled)\b", re.IGNORECASE)


def logged(payload: object, at: int, window: int) -> Logged | None:
    """One console line; uncaught errors and rejections arrive as level error, text beginning "Uncaught" (capture 4)."""
    if not isinstance(payload, dict):
        return None
    level, items = payload.get("level"), payload.get("payload")
    parts = [_text(item) for item in items[:10]] if isinstance(items, list) else []
    text = clean(" ".join(parts), CHARS)
    level = level if isinstance(level, str) else "log"
    return Logged(at, window, level[:12], text, level in ("error", "assert") and bool(_UNCAUGHT.match(text)))


def _text(item: object) -> str:
    """Items are JSON texts, so strings come in quotes."""
    if not isinstance(item, str):
        return ""
    try:
        value = json.loads(item) if item[:1] == '"' else item
    except ValueError:
        value = item
    return value if isinstance(value, str) else item
