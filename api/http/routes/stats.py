"""What scanners and observations add up to, and who made them (contract 3.6, 4.5)."""

from datetime import timedelta
from typing import Any

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.documents import CreatorsDocument, ObservationStatsDocument, ScannerStatsDocument
from api.http.filters import Number
from api.http.routes import observations as listed
from domain.errors import NotFound
from projections.queries import observation_stats, scanners

READ = ("replay_scanner:read",)

RECENT_DAYS = 14
MOST_RECENT_DAYS = 365
DIGITS = 9
"""A number of more digits is over MOST_RECENT_DAYS without reading them all."""

RECENT = Number("recent_days", "Days that `coverage` looks back.", 1, RECENT_DAYS, MOST_RECENT_DAYS)


def list_creators(call: Call) -> Response:
    """Everybody who created a scanner that is still there."""
    with call.services.pool.connection() as conn:
        return Answer({"creators": scanners.creators(conn, call.tenant)})


def scanner_stats(call: Call) -> Response:
    """How many scanners there are, and how many are enabled, by type."""
    with call.services.pool.connection() as conn:
        return Answer(scanners.stats(conn, call.tenant))


def observation_stats_of(call: Call) -> Response:
    """What the scanner's observations add up to. The filters are the list's."""
    scanner_id = call.object_id("scanner_id")
    days = recent_days(call.query.get(RECENT.name, ""))
    with call.services.pool.connection() as conn:
        scanner: dict[str, Any] | None = scanners.scanner(conn, call.tenant, scanner_id)
        if scanner is None:
            raise NotFound
        filters = listed.filters_of(call, scanner_id)
        listed.ORDER.read(call.query)  # of no use here, and checked all the same
        recent = call.services.clock() - timedelta(days=days)
        return Answer(
            observation_stats.stats(conn, call.tenant, scanner, filters, recent=recent, recent_days=days),
        )


def recent_days(given: str) -> int:
    """Clamped; what is no whole number means RECENT_DAYS."""
    digits = given.strip().removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return RECENT_DAYS
    if given.strip().startswith("-"):
        return 1
    return min(MOST_RECENT_DAYS, max(1, int(digits) if len(digits) <= DIGITS else MOST_RECENT_DAYS))


OPERATIONS = (
    Operation(
        method="GET",
        path="scanners/creators/",
        name="scanners_creators_retrieve",
        scopes=READ,
        answer=list_creators,
        summary="List creators of scanners",
        success={200: CreatorsDocument},
        shows={200: examples.CREATORS},
    ),
    Operation(
        method="GET",
        path="scanners/stats/",
        name="scanners_stats_retrieve",
        scopes=READ,
        answer=scanner_stats,
        summary="Count scanners",
        success={200: ScannerStatsDocument},
        analytics=True,
        shows={200: examples.SCANNER_STATS},
    ),
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/observations/stats/",
        name="scanners_observations_stats_retrieve",
        scopes=listed.READ,
        answer=observation_stats_of,
        summary="Sum up a scanner's observations",
        success={200: ObservationStatsDocument},
        analytics=True,
        shows={200: examples.OBSERVATION_STATS},
        parameters=(*listed.FILTERS, listed.ORDER, RECENT),
    ),
)
