"""What one analytics event says about its visitor: properties, and that another id is the same person.

The rules of the reference product, with its list of ids that no site can mean ("undefined", "guest", ...): such an id
has no properties and is joined with nobody. Its own event properties (browser, first page, ...) are not made properties
of the person here; only what a site or its SDK says with `$set`, `$set_once` and `$unset` is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

from consumers.capture.analytics.bounds import fitting, storable, trimmed
from consumers.capture.messages.snapshot import MAX_DISTINCT_ID, clean
from consumers.capture.wire.encodings import Json, dump

MAX_PROPERTIES = 200
"""Of a visitor, and of a person: the least by `rank`, so that the order of arrival does not matter."""
MAX_NAME = 200
MAX_TEXT = 500
MAX_VALUE_BYTES = 1_024
MAX_BYTES = 64 * 1024
"""What one event may say."""

IDENTIFY = "$identify"
ALIASES = frozenset({"$create_alias", "$merge_dangerously"})
DANGEROUS = "$merge_dangerously"
SILENT = frozenset({"$exception", "$$heatmap"})
"""Events that change no properties: in the reference product they travel apart, in no order with the others."""

EMAILS = ("email", "$email")

_ANY_CASE = frozenset(
    {
        "anonymous",
        "guest",
        "distinctid",
        "distinct_id",
        "id",
        "not_authenticated",
        "email",
        "undefined",
        "true",
        "false",
    }
)
_AS_WRITTEN = frozenset({"[object Object]", "NaN", "None", "none", "null", "0", "$posthog_cookieless"})
_QUOTES = ("'", '"')


@dataclass(frozen=True, slots=True)
class Saying:
    """`other` is an id that is the same person as the event's; `dangerous` that this holds whoever they are.

    `illegal` says that the event named an id that no site can mean.
    """

    set: Mapping[str, Json] = field(default_factory=dict[str, Json])
    once: Mapping[str, Json] = field(default_factory=dict[str, Json])
    unset: tuple[str, ...] = ()
    other: str | None = None
    dangerous: bool = False
    illegal: bool = False

    def as_properties(self, name: str) -> dict[str, Json]:
        """The properties of an event called `name` that say the same."""
        found: dict[str, Json] = {"$set": {**self.set}, "$set_once": {**self.once}, "$unset": [*self.unset]}
        if self.other is not None:
            found["$anon_distinct_id" if name == IDENTIFY else "alias"] = self.other
        return {key: value for key, value in found.items() if value}


NOTHING = Saying()


def saying_in(name: str, distinct_id: str | None, told: Mapping[str, Json]) -> Saying:
    """What an event says. `told` are its properties, with `$set` and its kind from beside them."""
    if distinct_id is None or told.get("$process_person_profile") is False:
        return NOTHING
    if is_illegal(distinct_id):
        return Saying(illegal=True)
    other = None
    if name == IDENTIFY:
        other = clean(told.get("$anon_distinct_id"), MAX_DISTINCT_ID)
    elif name in ALIASES:
        other = clean(told.get("alias"), MAX_DISTINCT_ID)
    illegal = other is not None and is_illegal(other)
    if illegal or other == distinct_id:
        other = None
    if name in SILENT:
        return Saying(other=other, illegal=illegal)
    return Saying(
        set=_properties(told.get("$set")),
        once=_properties(told.get("$set_once")),
        unset=_names(told.get("$unset")),
        other=other,
        dangerous=other is not None and name == DANGEROUS,
        illegal=illegal,
    )


def is_illegal(distinct_id: str) -> bool:
    """Whether an id is one that comes of a mistake in a site's code, also in quotes."""
    bare = distinct_id.strip()
    for quote in _QUOTES:
        if len(bare) > 1 and bare.startswith(quote) and bare.endswith(quote):
            bare = bare[1:-1]
    return not bare.strip() or bare.lower() in _ANY_CASE or bare in _AS_WRITTEN


def rank(name: str) -> tuple[int, str]:
    """Which properties are kept when there are too many: addresses, then a site's own, then the SDK's; by name."""
    return (0 if name in EMAILS else 2 if name.startswith("$") else 1, name)


def _properties(given: Json) -> dict[str, Json]:
    if not isinstance(given, dict):
        return {}
    names = nsmallest(MAX_PROPERTIES, given, key=rank)
    return fitting(_small(given, names), MAX_PROPERTIES, MAX_BYTES, cut=lambda value: value)


def _small(given: Mapping[str, Json], names: list[str]) -> Iterator[tuple[str, Json]]:
    for name in names:
        value = given[name]
        value = storable(value, MAX_TEXT) if isinstance(value, str) else trimmed(value)
        if name and len(dump(value)) <= 2 * MAX_VALUE_BYTES:
            yield name, value


def _names(given: Json) -> tuple[str, ...]:
    names = [name for name in given if isinstance(name, str)] if isinstance(given, list | dict) else []
    return tuple(sorted({storable(name, MAX_NAME) for name in nsmallest(MAX_PROPERTIES, names, key=rank) if name}))
