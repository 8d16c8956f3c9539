"""Writes docs/openapi.json from the code: `make schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from api.http.app import OPERATIONS
from api.http.openapi import document

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def text_of(described: dict[str, Any]) -> str:
    """The document as it is committed."""
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    FILE.write_text(text_of(document(OPERATIONS)), encoding="utf-8")


if __name__ == "__main__":
    main()
