"""Everything that was ever said about one visitor, in a form that comes out the same in any order and with repeats.

A visitor is a distinct id. All parts are the latest, the earliest or the union of something, so merging is associative,
commutative and idempotent (`tests/properties/test_identity.py`).

Who is one person: the reference product goes through events as they arrive, and refuses to join a visitor who is
identified already. Here the time of the events decides instead of their arrival:

* A visitor is identified from the earliest moment at which another was joined to it.
* Of all that a visitor was joined to, the earliest counts, unless the visitor was identified before that moment.
* `$merge_dangerously` always counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any, Self, TypeVar

import orjson

from consumers.capture.analytics.saying import EMAILS, MAX_PROPERTIES, Saying, rank
from consumers.capture.wire.encodings import Json, dump, parse

MAX_EMAIL = 254

Value = TypeVar("Value")
Stamped = tuple[int, str]
"""A moment (milliseconds since 1970) and a value as JSON text, or a distinct id: comparable whatever the value is."""


@dataclass(frozen=True, slots=True)
class Said:
    """`set` has the latest value of each property, `once` the earliest, `unset` when each was last taken away.

    `joined` is the earliest visitor that this one was joined to, `identified` when another was joined to this one.
    """

    set: Mapping[str, Stamped] = field(default_factory=dict[str, Stamped])
    once: Mapping[str, Stamped] = field(default_factory=dict[str, Stamped])
    unset: Mapping[str, int] = field(default_factory=dict[str, int])
    joined: Stamped | None = None
    identified: int | None = None

    def merge(self, other: Self) -> "Said":
        return _limited(
            Said(
                set={name: max(_both(self.set, other.set, name)) for name in (*self.set, *other.set)},
                once={name: min(_both(self.once, other.once, name)) for name in (*self.once, *other.once)},
                unset={name: max(_both(self.unset, other.unset, name)) for name in (*self.unset, *other.unset)},
                joined=min((one for one in (self.joined, other.joined) if one is not None), default=None),
                identified=min((one for one in (self.identified, other.identified) if one is not None), default=None),
            )
        )

    @property
    def same_as(self) -> str | None:
        """The visitor that this one is the same person as; None when there is none, or it was identified before."""
        if self.joined is None or (self.identified is not None and self.identified < self.joined[0]):
            return None
        return self.joined[1]

    def properties(self) -> dict[str, Json]:
        """What holds now: the latest value of each, else the earliest of `$set_once`, unless it was unset later."""
        found: dict[str, Json] = {}
        for name in sorted({*self.set, *self.once}, key=rank):
            for stamped in (self.set.get(name), self.once.get(name)):
                if stamped is not None and self.unset.get(name, 0) <= stamped[0]:
                    found[name] = parse(stamped[1].encode())
                    break
        return found

    def to_state(self) -> dict[str, Any]:
        """As JSON. Values stay texts: a number's form must not change on the way."""
        return {
            "set": self.set,
            "set_once": self.once,
            "unset": self.unset,
            "joined": self.joined,
            "identified": self.identified,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Said":
        joined = state["joined"]
        return cls(
            set={name: (moment, text) for name, (moment, text) in state["set"].items()},
            once={name: (moment, text) for name, (moment, text) in state["set_once"].items()},
            unset=state["unset"],
            joined=None if joined is None else (joined[0], joined[1]),
            identified=state["identified"],
        )


def said_by(saying: Saying, distinct_id: str, moment: int) -> dict[str, Said]:
    """What an event of `distinct_id` at `moment` says about its visitor, and about the one it joins to it."""
    found: dict[str, Said] = {}
    joins = saying.other is not None and not saying.dangerous
    if saying.set or saying.once or saying.unset or joins:
        found[distinct_id] = Said(
            set={name: (moment, _text(value)) for name, value in saying.set.items()},
            once={name: (moment, _text(value)) for name, value in saying.once.items()},
            unset=dict.fromkeys(saying.unset, moment),
            identified=moment if joins else None,
        )
    if saying.other is not None and joins:
        found[saying.other] = Said(joined=(moment, distinct_id))
    return found


def email_of(properties: Mapping[str, Json], distinct_ids: Iterable[str]) -> str | None:
    """A person's address: the property `email` or `$email`, else the least distinct id that is one."""
    for name in EMAILS:
        value = properties.get(name)
        if isinstance(value, str) and is_address(value.strip()):
            return value.strip()
    return min((each for each in distinct_ids if is_address(each)), default=None)


def is_address(text: str) -> bool:
    """Whether a text reads as an e-mail address; for telling whom a person is, not for sending anything."""
    name, at, host = text.partition("@")
    return bool(
        name and at and "." in host.strip(".") and "@" not in host and len(text) <= MAX_EMAIL and not _has_space(text)
    )


def _has_space(text: str) -> bool:
    return any(each.isspace() for each in text)


def _both(one: Mapping[str, Value], other: Mapping[str, Value], name: str) -> list[Value]:
    return [found[name] for found in (one, other) if name in found]


def _limited(said: Said) -> Said:
    """Without what is over MAX_PROPERTIES names. What falls out of the least names could never come back in."""
    names = {*said.set, *said.once, *said.unset}
    if len(names) <= MAX_PROPERTIES:
        return said
    kept = set(nsmallest(MAX_PROPERTIES, names, key=rank))
    return Said(
        set={name: value for name, value in said.set.items() if name in kept},
        once={name: value for name, value in said.once.items() if name in kept},
        unset={name: value for name, value in said.unset.items() if name in kept},
        joined=said.joined,
        identified=said.identified,
    )


def _text(value: Json) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:  # a number of more than 64 bits
        return dump(value).decode()
