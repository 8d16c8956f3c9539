"""What is left of Markdown when it is safe: a list of blocks, each of them a run of spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "paragraph", "item", "quote", "code"]


@dataclass(frozen=True, slots=True)
class Span:
    """Text of one style. `link` is an address of ours or empty; `code` excludes every other style."""

    text: str
    strong: bool = False
    emphasis: bool = False
    code: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """`depth` is a heading's level, or how many items a list item stands below; `marker` an item's `-` or `3.`."""

    kind: Kind
    spans: tuple[Span, ...]
    depth: int = 0
    marker: str = ""

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)
