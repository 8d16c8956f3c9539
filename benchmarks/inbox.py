"""What stands for the transport where recordings are imported to be measured."""

from collections.abc import Sequence

from consumers.capture.messages.snapshot import TOPIC
from consumers.transports.port import Outgoing


class Inbox:
    """Of what an import publishes, the recordings."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    def publish(self, topic: str, records: Sequence[Outgoing]) -> None:
        if topic == TOPIC:
            self.messages += records
