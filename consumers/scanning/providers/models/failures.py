"""What went wrong with a vendor, as one of the kinds of engine 1.6 and a text of ours.

Nothing of what the vendor or the SDK said is repeated: it can quote the prompt, and with it the page that was recorded.
Importing this imports pydantic-ai, as ``vendors`` does.
"""

from __future__ import annotations

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
)

from consumers.scanning.providers.models.wire import TooLong
from consumers.scanning.providers.port import ProviderError

TRANSIENT = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Of engine 1.6."""

_SERVERS_FAULT = 500
"""From this status on it is the vendor's trouble as well, such as Anthropic's 529, "overloaded"."""


def provider_error(error: Exception) -> ProviderError:
    """Whatever an Agent or a model of ``vendors`` raised. A ProviderError is given back as it is.

    A wait that the vendor asked for (``Retry-After`` in seconds or as a date, ``retry-after-ms``, Google's
    ``RetryInfo``) is in ``retry_after``.
    """
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, ModelAPIError):
        return _failed_call(error)
    if isinstance(error, ContentFilterError):
        return ProviderError("provider_rejected", "The model provider refused to answer: its content filter.")
    if isinstance(error, OutputTokenLimitExceeded):
        return ProviderError("validation_failed", "The answer was cut off at the model's limit of output.")
    if isinstance(error, UnexpectedModelBehavior):
        return ProviderError("validation_failed", "The model's answers had no form that can be read.")
    return ProviderError("internal_error", f"Asking the model broke with {type(error).__name__}.")


def _failed_call(error: ModelAPIError) -> ProviderError:
    if any(isinstance(cause, TooLong) for cause in _causes(error)):
        return ProviderError("provider_rejected", "The model provider's answer was longer than an answer may be.")
    if isinstance(error, ModelHTTPError):
        status = error.status_code
        kind = "provider_transient" if status in TRANSIENT or status >= _SERVERS_FAULT else "provider_rejected"
        return ProviderError(kind, f"The model provider answered with HTTP status {status}.", error.retry_after)
    if isinstance(error, ModelRequestTimeout | ModelTimeoutError):
        return ProviderError("provider_transient", "The model provider did not answer in time.")
    if isinstance(error, ModelConnectionError):
        return ProviderError("provider_transient", "The connection to the model provider failed.")
    return ProviderError("provider_transient", "The model provider's answer could not be read.", error.retry_after)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it. Ends: Python lets nobody make a circle of causes by raising."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
