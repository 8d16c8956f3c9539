"""Every error status of the API with its meaning and an example, for the OpenAPI document (contract 2.1, 2.2)."""

from collections.abc import Mapping

from api.http import errors
from api.http.body import BODY_LIMIT, BODY_SECONDS
from api.http.errors import Refusal
from domain.errors import Throttled

ALWAYS = (401, 403, 404, 406, 429, 500, 503)
WITH_BODY = (400, 408, 413, 415)
WRITING = (400, 409)
"""Of what takes an Idempotency-Key."""

MEANINGS: Mapping[int, str] = {
    400: "The request is malformed or breaks a rule.",
    401: "No key, or an unknown one.",
    402: "The organization's quota is used up.",
    403: "The key lacks a scope or may not enter the project.",
    404: "Unknown project or object.",
    406: "The client does not take JSON.",
    408: "The body took too long to arrive.",
    409: "The object's present state does not allow it, or the `Idempotency-Key` came with another body before.",
    412: "Somebody else has changed the object since the caller read it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests, or too much of this is in flight.",
    500: "A defect of the server. Its log has a line with the correlation id.",
    503: "The server cannot do this now.",
}

EXAMPLES: Mapping[int, Refusal] = {
    401: errors.not_authenticated(),
    402: Refusal(
        402,
        "server_error",
        "quota_limit_exceeded",
        "The monthly quota of 3000 observations is used up. It starts again on 2026-07-01.",
    ),
    403: errors.missing_scope("replay_scanner:write"),
    404: errors.not_found(),
    406: errors.not_acceptable(),
    408: errors.too_slow(BODY_SECONDS),
    409: errors.repeated_otherwise(),
    412: Refusal(412, "invalid_request", "precondition_failed", "This scanner was changed since it was read."),
    413: errors.too_large(BODY_LIMIT),
    415: errors.unsupported_media_type("text/plain"),
    429: errors.from_domain(Throttled("Request was throttled. Expected available in 17 seconds.", 17)),
    500: errors.server_error(),
    503: errors.unavailable(),
}
"""Of every status but 400, whose examples depend on the operation."""

MALFORMED = errors.parse_error("Expecting value: line 1 column 1 (char 0)")


def invalid(attr: str | None, code: str, detail: str) -> Refusal:
    """A 400 about one field or parameter."""
    return Refusal(400, "validation_error", code, detail, attr)


def parameter(name: str) -> Refusal:
    """A 400 about a query parameter."""
    return invalid(name, "invalid_input", "Null characters are not allowed.")


CAPPED = Refusal(429, "throttled_error", "throttled", "Too many observations of this scanner are in flight.")
IN_FLIGHT = Refusal(409, "invalid_request", "conflict", "The observation is still in flight.")
IF_MATCH = invalid(None, "invalid_input", "If-Match must be * or a list of entity tags.")
CHANGED = Refusal(409, "invalid_request", "conflict", "Too many others are changing this at the same time.")
RUNNING = Refusal(409, "invalid_request", "conflict", "A run of this action is in progress.")
DELIVERING = Refusal(409, "invalid_request", "conflict", "This delivery is still in progress.")
