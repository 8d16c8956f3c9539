"""The slug of a classifier tag: how two spellings are told to be the same tag (contract 3.2)."""

import re

_OUTSIDE = re.compile(r"[^a-z0-9_-]+")


def slug(tag: str) -> str:
    """Lower-case; every run outside ``a-z 0-9 _ -`` becomes one underscore; outer underscores go. May be empty."""
    return _OUTSIDE.sub("_", tag.lower()).strip("_")


def freeform(tags: list[str], vocabulary: list[str], limit: int) -> list[str]:
    """Slugs of ``tags`` in order, without repeats, empties or anything equal to a vocabulary tag, at most ``limit``."""
    taken = {slug(tag) for tag in vocabulary}
    kept: list[str] = []
    for tag in tags:
        name = slug(tag)
        if name and name not in taken:
            taken.add(name)
            kept.append(name)
    return kept[:limit]
