"""Recordings from a topic that somebody else fills, in the form of the reference pipeline (capture 5, step 2).

Such a topic is read beside our own: its messages say by their token whose they are. Those of tokens that no environment
has are other projects': they are counted and passed over, and nothing of them is kept.
"""

from collections.abc import Sequence

import psycopg

from consumers.transports.port import EVENT_ID, Handler, Record

GROUP = "capture.existing"

_HEADERS = frozenset({EVENT_ID, "token", "distinct_id", "session_id", "timestamp", "event", "uuid", "now"})
"""Of the reference form. What else a stranger's header may say is for our own messages alone: whose one is
(`environment_id`), where its content lies."""


class ExistingTopicHandler:
    """A transport handler: hands records on to capture's, without the headers that are not of the form."""

    def __init__(self, capture: Handler) -> None:
        self._capture = capture

    def __call__(self, conn: psycopg.Connection, records: Sequence[Record]) -> None:
        """Raises what capture's handler raises."""
        self._capture(conn, [record._replace(headers=_of_the_form(record)) for record in records])


def _of_the_form(record: Record) -> dict[str, bytes]:
    return {name: value for name, value in record.headers.items() if name in _HEADERS}
