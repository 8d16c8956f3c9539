"""Comparing JSON values the way a person would: true is not 1, but 1 and 1.0 are the same number."""

from typing import Any, cast


def same_value(a: Any, b: Any) -> bool:
    """Deep equality of JSON values. Python's own `==` calls True and 1 equal, which would hide a real change."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        one, other = cast("dict[str, Any]", a), cast("dict[str, Any]", b)
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(a, list) and isinstance(b, list):
        first, second = cast("list[Any]", a), cast("list[Any]", b)
        return len(first) == len(second) and all(same_value(x, y) for x, y in zip(first, second, strict=True))
    return bool(a == b)
