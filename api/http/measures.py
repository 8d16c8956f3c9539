"""What `/metrics` says about HTTP. Routes are labelled by their template, never by an address."""

from functools import cache

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
    requests, duration = _counted(route, method if method in _METHODS else "other", status)
    requests.inc()
    duration.observe(seconds)


def captured(outcome: str, number: int = 1) -> None:
    """Counts what was posted. `outcome` is one of ours: accepted, or why not."""
    _captured(outcome).inc(number)


@cache
def _captured(outcome: str) -> Counter:
    return CAPTURED.labels(outcome)


@cache  # looking a label up costs more than counting
def _counted(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, method, str(status)), DURATION.labels(route, method)
