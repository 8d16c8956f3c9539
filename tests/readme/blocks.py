"""Finding the commands in a README that its readers are told to run."""

import re
from dataclasses import dataclass

FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL
)
MARK = "run"


@dataclass(frozen=True)
class Block:
    """The text of one fenced block and the number of its first line in the file, counted from 1."""

    line: int
    text: str


def blocks_to_run(markdown: str) -> list[Block]:
    """Fenced blocks whose info string is `sh run`, in order. Other blocks are for reading only."""
    return [
        Block(markdown.count("\n", 0, match.start("body")) + 1, match["body"])
        for match in FENCE.finditer(markdown)
        if match["info"].split() == ["sh", MARK]
    ]
