"""A recorded session, as far as the log knows of it: that somebody has deleted it.

What a session holds is state of the capture consumer and no history; a deletion is a decision of somebody, and final.
"""

from __future__ import annotations

from typing import Self

from domain.event import Aggregate, FirstEvent, Stamp, stored
from domain.ids import recording_stream


@stored
class SessionDeleted(FirstEvent):
    """Nothing of the session is shown from here on, and whatever is stored of it, now or later, is erased."""

    TOPIC = "SessionDeleted"
    session_id: str

    def apply(self, aggregate: Recording) -> None:
        aggregate.session_id = self.session_id


@stored
class Recording(Aggregate):
    """Its stream begins with its end, so that it can have one only."""

    TOPIC = "recording"

    def __init__(self) -> None:
        self.session_id = ""

    @classmethod
    def delete(cls, environment_id: int, session_id: str, stamp: Stamp) -> Self:
        """For good: the id can never be recorded into again."""
        return cls._begin(SessionDeleted, recording_stream(environment_id, session_id), stamp, session_id=session_id)
