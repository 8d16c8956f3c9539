"""The Dockerfile, as far as tests need to read it."""

from __future__ import annotations

import json
import re

from tests.compose.reading import ROOT

FILE = ROOT / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments of each, comments left out and continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def last(word: str) -> str:
    """The arguments of the last such instruction, which is the one that counts."""
    return [arguments for each, arguments in instructions() if each == word][-1]


def entry_point() -> list[str]:
    """In its form without a shell."""
    return json.loads(last("ENTRYPOINT"))


def environment() -> dict[str, str]:
    """The variables of the image; none of their values may hold spaces."""
    return dict(pair.split("=", 1) for pair in last("ENV").split())
