"""Which properties of a site's analytics events are not kept under their own name.

Capture leaves them out, and recording filters that ask for them say so instead of finding nothing, or everything.
"""

BOOKKEEPING = ("$sdk_debug_", "$debug_")
"""How the SDK's own bookkeeping begins."""

OWN = frozenset({"$lib_rate_limit_remaining_tokens", "$config_defaults", "$sdk_dist_channel", "token"})
"""The rest of it."""

COLUMNS = {
    "distinct_id": "distinct_id",
    "$distinct_id": "distinct_id",
    "$session_id": "session_id",
    "$window_id": "window_id",
}
"""Kept as what every event has, by its name there."""

ELSEWHERE = frozenset({"$elements", "$elements_chain", "$set", "$set_once", "$unset", *COLUMNS})
"""Kept in a place of its own: elements, what is said about a person, and the columns."""

OF_SERVERS = ("$geoip_", "$initial_geoip_", "$virt_", "$group_0", "$group_1", "$group_2", "$group_3", "$group_4")
"""How properties begin that no SDK sends: the reference product's servers add them to events and persons."""


def is_kept(name: str) -> bool:
    """Whether a property that is sent is kept under its name."""
    return name not in OWN and name not in ELSEWHERE and not name.startswith(BOOKKEEPING)
