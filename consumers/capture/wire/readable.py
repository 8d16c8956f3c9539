"""What counts as an rrweb event: the least that everything else builds on."""

from consumers.capture.wire.encodings import Json
from consumers.capture.wire.inflate import Room, looks_packed, unpack
from consumers.capture.wire.refusals import CaptureRefused

LAST_MOMENT_MS = 253_402_300_799_000
"""The end of the year 9999. rrweb times are the visitor's clock: a wrong clock is no reason to lose a recording, so
unlike the reference, which drops batches more than 7 days off, only times that are no time at all are refused."""


def readable(item: Json, room: Room | None = None) -> tuple[int, dict[str, Json]] | None:
    """The time and the object of an rrweb event, its fields still packed; None for what is no event.

    `room` bounds what the items of one batch may unpack to together.
    """
    if isinstance(item, dict):  # nearly all
        event = item
    elif not isinstance(item, str) or not looks_packed(item):
        return None  # told at a glance: a body may have a million of such
    else:
        try:
            event = unpack(item, room)
        except CaptureRefused:
            return None
    moment = event.get("timestamp")
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        return None
    # Compared, not converted: a number of 400 digits is no float. Infinity and what is no number are in no range.
    return (int(moment), event) if 1 <= moment <= LAST_MOMENT_MS else None
