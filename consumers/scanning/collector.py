"""How often Python looks for objects that hold each other, in a process that reads recordings."""

import gc
from typing import Final

YOUNG: Final = 50_000
OLDER: Final = 20
"""New objects, and rounds over them, between looks. A page of 50,000 nodes is as many objects, all of them in use:
with Python's own numbers (700 and 10) they are gone through again and again while they are made, which is a quarter of
the time that evidence of large pages takes (ADR 24). What waits meanwhile is some 10 MB."""


def collect_less() -> None:
    """For the whole process. What is no longer held is freed at once all the same; this is about cycles."""
    gc.set_threshold(YOUNG, OLDER, OLDER)
