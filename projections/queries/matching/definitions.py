"""What an environment has defined that queries refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Definitions:
    """`test_accounts`: property filters that all hold for sessions that are no tests (`filter_test_accounts`).

    `actions`: the steps of each action by its id as text; one step is enough.
    """

    test_accounts: Sequence[Mapping[str, Any]] = ()
    actions: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict[str, Sequence[Mapping[str, Any]]])


NONE = Definitions()
