"""Why a body from a browser is refused. Browsers repeat 5xx and drop 4xx: each of these means data is lost for good."""

import traceback
from typing import ClassVar

from domain.errors import VisionError


class CaptureRefused(VisionError):
    """Base. `status` is the HTTP status to answer, `code` a stable word for logs and metrics."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"


def forget(error: BaseException, *, told: bool = False) -> None:
    """Lets go of what the code that raised it had in hand: a few kilobytes can be 400 MB there, and an error may wait.

    And of the traceback: its frames hold their callers, who hold the error, and all that would stay until the cyclic
    collector comes. Its lines become a note, unless it is a refusal, which nobody looks into, or somebody was `told`.
    Call it when the code that raised it has ended.
    """
    if not told and not isinstance(error, CaptureRefused):
        error.add_note("".join(traceback.format_exception(error)))
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__


class Undecodable(CaptureRefused):
    """The bytes are in none of the encodings of capture 2, or are damaged."""

    code = "undecodable"


class Malformed(CaptureRefused):
    """The bytes decode, but what they say breaks a rule (no session id, a session id with other characters, ...)."""

    code = "malformed"


class TooLarge(CaptureRefused):
    """Over a stated limit on bytes, nesting or counts."""

    status = 413
    code = "too_large"


class UnknownToken(CaptureRefused):
    """No project token, or one that belongs to no environment."""

    status = 401
    code = "unknown_token"


class Unhandled(CaptureRefused):
    """Nothing is known to be wrong with it, and yet our code fails with it: a defect (faults.py)."""

    code = "unhandled"


class OverLimit(CaptureRefused):
    """Over what a project token may send (limits.py). Counted, and not kept: there may be much of it."""

    status = 429
    code = "over_limit"


class OverDay(OverLimit):
    """`retry_after` is in seconds: when the next day begins."""

    code = "over_day_bytes"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OverSessions(OverLimit):
    code = "over_day_sessions"


class OverSessionParts(OverLimit):
    code = "over_session_parts"


class OverSessionBytes(OverLimit):
    code = "over_session_bytes"
