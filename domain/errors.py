"""Refusals that callers can expect. The HTTP room turns each into the contract's envelope."""


class VisionError(Exception):
    """Base of every refusal. `message` is one plain sentence that may be shown to the caller."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(VisionError):
    """A value breaks a rule (400). `field` is the contract's path (`a__0__b`) or None; `code` as in contract 2.2."""

    def __init__(self, field: str | None, code: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


class NotFound(VisionError):
    """The object is unknown, deleted, or belongs to another tenant (404)."""

    def __init__(self, message: str = "Not found.") -> None:
        super().__init__(message)


class Conflict(VisionError):
    """The request is well-formed but the object's present state does not allow it (409)."""


class StaleVersion(Conflict):
    """Somebody else changed the object since it was read."""


class QuotaExhausted(VisionError):
    """The organization has no observation left in this period (402)."""


class Throttled(VisionError):
    """Too much work of this kind is in flight (429). `retry_after` is in seconds, None when unknown."""

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LeaseLost(Conflict):
    """The run or its lease is no longer the current one; the work was taken over, ended or deleted."""


class EventTooLarge(VisionError):
    """An event's state is over the cap of the event store (256 KiB). Larger things are blobs."""
