"""Comparing JSON values the way a person would: true is not 1, but 1 and 1.0 are the same number."""

from typing import Any


def same_value(a: Any, b: Any) -> bool:
    """Deep equality of JSON values. Python's own `==` calls True and 1 equal, which would hide a real change."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_value(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b if isinstance(a, str) or isinstance(b, str) else a == b
