"""How much of what a stranger sends is kept of one event: the rules of properties, in one place.

* What an SDK sends as its own bookkeeping is dropped, and properties that have a place of their own (`$elements_chain`,
  `$set`, ...) are not among the properties: domain/event_properties.py says which.
* At most MAX_PROPERTIES, the first ones sent; names of MAX_NAME characters; texts of MAX_TEXT; values nested
  MAX_LEVELS deep, with MAX_PARTS parts.
* At most MAX_BYTES of JSON together. When there is more, the largest values go first.
* NUL becomes U+FFFD: PostgreSQL holds none. Halves of surrogate pairs are replaced, and numbers that no double holds
  are null, as soon as a body or a message is parsed (encodings.parse).

All of it leaves alone what is within the limits, so it may be applied twice: when a body is taken, and when a message
is read that somebody else may have written.
"""

from collections.abc import Callable, Iterable, Mapping

from consumers.capture.wire.encodings import Json, dump
from domain.event_properties import is_kept

MAX_PROPERTIES = 500
MAX_NAME = 200
MAX_TEXT = 2_000
"""As the reference product cuts the fields of events that it shows a model (capture 6)."""
MAX_LEVELS = 8
"""Of an exception: list, exception, stack trace, frames, frame, value."""
MAX_PARTS = 1_000
MAX_BYTES = 32 * 1024


def bounded(properties: Mapping[str, Json]) -> dict[str, Json]:
    """The properties of an event, by the rules above."""
    return fitting(((name, value) for name, value in properties.items() if is_kept(name)), MAX_PROPERTIES, MAX_BYTES)


def fitting(
    properties: Iterable[tuple[str, Json]],
    most: int,
    most_bytes: int,
    cut: Callable[[Json], Json] | None = None,
) -> dict[str, Json]:
    """The first `most` properties as far as they fit into `most_bytes`, in the order given, texts and names cut.

    `cut` is how values are made smaller; `trimmed` when it is not given.
    """
    found: dict[str, Json] = {}
    for name, value in properties:
        if len(found) == most:
            break
        found[storable(name, MAX_NAME)] = (cut or trimmed)(value)
    sizes = {name: len(dump({name: value})) for name, value in found.items()}
    room, kept = most_bytes, set[str]()
    for name in sorted(sizes, key=lambda name: sizes[name]):
        room -= sizes[name]
        if room < 0:
            break
        kept.add(name)
    return {name: value for name, value in found.items() if name in kept}


def trimmed(value: Json) -> Json:
    """A value with its texts cut, without what is nested too deeply or too much."""
    return _Trimming(MAX_PARTS).value(value, MAX_LEVELS)


def storable(text: str, longest: int) -> str:
    return text[:longest].replace("\0", "\ufffd")


class _Trimming:
    """`parts` is how many values may still be kept."""

    def __init__(self, parts: int) -> None:
        self._parts = parts

    def value(self, value: Json, levels: int) -> Json:
        self._parts -= 1
        if isinstance(value, str):
            return storable(value, MAX_TEXT)
        if isinstance(value, dict):
            return self._object(value, levels - 1)
        if isinstance(value, list):
            return self._list(value, levels - 1)
        return value

    def _object(self, value: dict[str, Json], levels: int) -> dict[str, Json]:
        kept: dict[str, Json] = {}
        for name, inner in value.items():
            if self._parts <= 0 or levels <= 0:
                break
            kept[storable(name, MAX_NAME)] = self.value(inner, levels)
        return kept

    def _list(self, value: list[Json], levels: int) -> list[Json]:
        kept: list[Json] = []
        for inner in value:
            if self._parts <= 0 or levels <= 0:
                break
            kept.append(self.value(inner, levels))
        return kept
