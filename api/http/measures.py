"""What `/metrics` says about HTTP. Routes are labelled by their template, never by an address."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("replay_vision_http_requests_total", "Answered requests.", ["route", "method", "status"])
DURATION = Histogram("replay_vision_http_request_seconds", "Time from the first byte to the last.", ["route", "method"])
CAPTURED = Counter(
    "replay_vision_capture_batches_total",
    "Posted batches and events by outcome.",
    ["outcome"],
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def answered(route: str, method: str, status: int, seconds: float) -> None:
    """Counts one answer. `status` 0 means that the client left first."""
    known = method if method in _METHODS else "other"
    REQUESTS.labels(route, known, str(status)).inc()
    DURATION.labels(route, known).observe(seconds)
