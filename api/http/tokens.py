"""Whose a project token is, asked with every post of a browser."""

import time

from consumers.capture.messages.held import Connections
from projections.queries.accounts import tenant_of_token

FRESH_SECONDS = 1.0
"""How long an answer holds: a token that is rotated is refused a second later at most, and a busy site costs one
question a second instead of hundreds."""

MOST_KNOWN = 10_000
"""Tokens remembered at a time."""


class Tokens:
    """One for a process, shared by its threads. Only tokens that there are are remembered: a new one works at once."""

    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self._known: dict[str, tuple[int, float]] = {}

    def environment_of(self, token: str) -> int | None:
        """None for a token of nobody; raises what `tenant_of_token` does when that cannot be told yet."""
        known = self.known(token)
        if known is not None:
            return known
        now = time.monotonic()
        self._known.pop(token, None)
        with self._pool.connection() as conn:
            tenant = tenant_of_token(conn, token)
        if tenant is None:
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[token] = (tenant.environment_id, now)
        return tenant.environment_id

    def known(self, token: str) -> int | None:
        """The same without asking the database: None also where only that could tell."""
        known = self._known.get(token)
        return known[0] if known is not None and time.monotonic() - known[1] < FRESH_SECONDS else None
