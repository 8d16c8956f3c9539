"""Every refusal in the contract's four-key envelope (contract 2.1, 2.2), and nothing but the envelope."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

from api.http.answers import Answer
from domain.errors import (
    Conflict,
    Invalid,
    NotFound,
    QuotaExhausted,
    StaleVersion,
    Throttled,
    VisionError,
)
from projections.engine.completeness import Behind

log = logging.getLogger("replay_vision.http")

ErrorType = Literal["validation_error", "authentication_error", "invalid_request", "throttled_error", "server_error"]

ECHO_LIMIT = 200
"""How many characters of a caller's own value an error text repeats."""

RETRY_SECONDS = 5
"""When to come again while a part of the system is away or the server stops: `Retry-After` of a 503."""

BEHIND_SECONDS = 1
"""When to come again for what the read side has not taken in yet: it takes in thousands of events in that time."""


class Refusal(Exception):
    """A request that ends here. Carries everything the envelope says."""

    def __init__(
        self,
        status: int,
        type: ErrorType,  # noqa: A002 - the envelope's own word
        code: str,
        detail: str,
        attr: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.type: ErrorType = type
        self.code = code
        self.detail = detail
        self.attr = attr
        self.headers = dict(headers or {})


def echo(value: object) -> str:
    """A caller's value as an error text may repeat it: printable, encodable, at most ECHO_LIMIT characters."""
    text = str(value)
    short = text if len(text) <= ECHO_LIMIT else text[:ECHO_LIMIT] + "…"
    return short.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


# --- the framework's own refusals, with their literal texts ---------------------------------------------------------

CHALLENGE = {"WWW-Authenticate": "Bearer"}


def not_authenticated() -> Refusal:
    detail = "Authentication credentials were not provided."
    return Refusal(401, "authentication_error", "not_authenticated", detail, headers=CHALLENGE)


def invalid_key(source: str) -> Refusal:
    """`source` is where the key was found: "Authorization header", "body" or "query string"."""
    detail = f"Personal API key found in request {source} is invalid."
    return Refusal(401, "authentication_error", "authentication_failed", detail, headers=CHALLENGE)


def denied(detail: str) -> Refusal:
    return Refusal(403, "authentication_error", "permission_denied", detail)


def missing_scope(scope: str) -> Refusal:
    return denied(f"API key missing required scope '{scope}'")


def confined(environment_id: int) -> Refusal:
    return denied(f"API key does not have access to the requested project: ID {environment_id}.")


def not_a_member() -> Refusal:
    return denied("You don't have access to the project.")


def not_found(detail: str = "Not found.") -> Refusal:
    return Refusal(404, "invalid_request", "not_found", detail)


def method_not_allowed(method: str, allow: str) -> Refusal:
    detail = f'Method "{echo(method)}" not allowed.'
    return Refusal(405, "invalid_request", "method_not_allowed", detail, headers={"Allow": allow})


def not_acceptable() -> Refusal:
    return Refusal(406, "invalid_request", "not_acceptable", "Could not satisfy the request Accept header.")


def parse_error(reason: str) -> Refusal:
    return Refusal(400, "invalid_request", "parse_error", f"JSON parse error - {echo(reason)}")


def too_large(limit: int) -> Refusal:
    return Refusal(413, "invalid_request", "request_too_large", f"The request body is larger than {limit} bytes.")


def too_slow(seconds: int) -> Refusal:
    return Refusal(408, "invalid_request", "request_timeout", f"The request body was not complete after {seconds} s.")


def unsupported_media_type(content_type: str) -> Refusal:
    detail = f'Unsupported media type "{echo(content_type)}" in request.'
    return Refusal(415, "invalid_request", "unsupported_media_type", detail)


def repeated_otherwise() -> Refusal:
    """A code of its own: unlike `conflict`, it says that the client has mixed up its keys."""
    detail = "This Idempotency-Key was used for a request with another body."
    return Refusal(409, "invalid_request", "idempotency_conflict", detail)


def unavailable(detail: str = "The service is temporarily unavailable.", retry_after: int = RETRY_SECONDS) -> Refusal:
    """`retry_after` is in seconds."""
    return Refusal(503, "server_error", "error", detail, headers={"Retry-After": str(retry_after)})


def outage(error: Exception) -> Refusal:
    """The 503 of an exception that means "not now"."""
    return unavailable(retry_after=BEHIND_SECONDS if isinstance(error, Behind) else RETRY_SECONDS)


def server_error() -> Refusal:
    return Refusal(500, "server_error", "error", "A server error occurred.")


# --- domain refusals ------------------------------------------------------------------------------------------------


def from_domain(error: VisionError) -> Refusal:
    """The envelope of a refusal of the rooms beneath. Unknown kinds are a plain 400: the caller's fault, not ours."""
    match error:
        case Invalid():
            code = "invalid_input" if error.code == "invalid" else error.code
            return Refusal(400, "validation_error", code, error.message, error.field)
        case NotFound():
            return not_found(error.message)
        case QuotaExhausted():
            return Refusal(402, "server_error", "quota_limit_exceeded", error.message)
        case Conflict():
            stale = isinstance(error, StaleVersion)
            status, code = (412, "precondition_failed") if stale else (409, "conflict")
            return Refusal(status, "invalid_request", code, error.message)
        case Throttled():
            wait = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            return Refusal(429, "throttled_error", "throttled", error.message, headers=wait)
        case _:
            return Refusal(400, "validation_error", "invalid_input", error.message)


def refusal_of(error: Exception, outages: tuple[type[Exception], ...]) -> Refusal | None:
    """The refusal that an exception means, None for a defect. `outages` are the exceptions that mean "not now"."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, VisionError):
        return from_domain(error)
    return outage(error) if isinstance(error, outages) else None


def body_of(refusal: Refusal) -> dict[str, str | None]:
    """The envelope. 503 repeats the text under `error`, the key of older clients (contract 2.2)."""
    body = {"type": refusal.type, "code": refusal.code, "detail": refusal.detail, "attr": refusal.attr}
    return {**body, "error": refusal.detail} if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else body


def envelope(refusal: Refusal) -> Answer:
    """The response."""
    return Answer(body_of(refusal), refusal.status, headers=refusal.headers)
