"""Deleting recorded sessions."""

from __future__ import annotations

from commands.context import Context
from commands.store.application import Store
from commands.store.recorder import Refused
from domain.errors import NotFound
from domain.recording import Recording


class Recordings:
    """Command service of recorded sessions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(self, context: Context, session_id: str) -> int | None:
        """Deletes a session for good. Returns the log position. Raises NotFound when that was done before.

        Whether anything was recorded under the id is for the caller to know: what is captured is not in the log.
        """
        recording = Recording.delete(context.owned().environment_id, session_id, context.stamp())
        try:
            return self._store.save(recording, once=context.once)
        except Refused as refused:
            if refused.refusal == "version":
                raise NotFound from refused
            raise
