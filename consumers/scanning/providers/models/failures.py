"""What went wrong with a vendor, as one of the kinds of engine 1.6 and a text of ours.

Nothing of what the vendor or the SDK said is repeated: it can quote the prompt, and with it the page that was recorded.
Importing this imports pydantic-ai, as ``vendors`` does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelRequestTimeout,
    ModelTimeoutError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)

from consumers.scanning.providers.models.wire import Redirected, TooLong, Unreadable
from consumers.scanning.providers.port import FailureKind, ProviderError

log = logging.getLogger("replay_vision.scanning.models")

TRANSIENT = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Of engine 1.6."""

_UNREADABLE = "The model provider's answer could not be read."

_SDKS = frozenset({"anthropic", "google", "httpx2", "openai", "pydantic", "pydantic_ai"})
"""And what reads for them. What breaks within them breaks over an answer: they do not expect every one that a server
can give."""

_SERVERS_FAULT = 500
"""From this status on it is the vendor's trouble as well, such as Anthropic's 529, "overloaded"."""


_BY_TYPE: tuple[tuple[type[BaseException], FailureKind, str], ...] = (
    (TooLong, "provider_rejected", "The model provider's answer was longer than an answer may be."),
    (Redirected, "provider_rejected", "The model provider redirects to another address."),
    (Unreadable, "provider_transient", _UNREADABLE),
    (ModelRequestTimeout, "provider_transient", "The model provider did not answer in time."),
    (ModelTimeoutError, "provider_transient", "The model provider did not answer in time."),
    (ModelConnectionError, "provider_transient", "The connection to the model provider failed."),
    (ModelAPIError, "provider_transient", _UNREADABLE),
    (ContentFilterError, "provider_rejected", "The model provider refused to answer: its content filter."),
    (OutputTokenLimitExceeded, "validation_failed", "The answer was cut off at the model's limit of output."),
    (UnexpectedModelBehavior, "validation_failed", "The model's answers had no form that can be read."),
    (UsageLimitExceeded, "validation_failed", "The conversation with the model was longer than one may be."),
    (UserError, "internal_error", "The model cannot be asked in the way it was."),
)
"""The first that fits counts; ours stand first, and may be what another was raised from."""


def provider_error(error: Exception) -> ProviderError:
    """Whatever an Agent or a model of ``vendors`` raised. A ProviderError is given back as it is.

    A wait that the vendor asked for (``Retry-After`` in seconds or as a date, ``retry-after-ms``, Google's
    ``RetryInfo``) is in ``retry_after``.
    """
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, ModelHTTPError):
        return _refused(error)
    causes = list(_causes(error)) if isinstance(error, ModelAPIError) else [error]
    for kind_of, kind, message in _BY_TYPE:
        if any(isinstance(cause, kind_of) for cause in causes):
            return ProviderError(kind, message)
    module, line = _place(error)
    # Where, and not what: the text of an error may be the answer's.
    log.warning("%s at %s:%d while a model was asked", type(error).__name__, module, line)
    if module.partition(".")[0] in _SDKS:
        return ProviderError("provider_transient", _UNREADABLE)
    return ProviderError("internal_error", f"Asking the model broke with {type(error).__name__}.")


def _refused(error: ModelHTTPError) -> ProviderError:
    status = error.status_code
    transient = status in TRANSIENT or status >= _SERVERS_FAULT
    message = f"The model provider answered with HTTP status {status}."
    return ProviderError("provider_transient" if transient else "provider_rejected", message, error.retry_after)


def _place(error: Exception) -> tuple[str, int]:
    """Module and line that raised it."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return (str(place.tb_frame.f_globals.get("__name__", "")), place.tb_lineno) if place else ("", 0)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it. Ends: Python lets nobody make a circle of causes by raising."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
