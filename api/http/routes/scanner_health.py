"""Whether a scanner produces anything, and if not, why (extensions "Observing")."""

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.schedule_documents import ScannerHealthDocument
from consumers.selection.health import Installed, Quota, health
from domain.errors import NotFound
from domain.quota import Period
from projections.queries import quota, scanner_health
from projections.queries.definitions import definitions_of
from projections.queries.matching import condition


def retrieve_health(call: Call) -> Response:
    """What keeps a scanner from producing observations, and since when.

    `waiting` passes by itself; it may come without a reason, when the schedule lets sessions wait for too long.
    `blocked` needs a change of the scanner or of the installation. `settled_behind` are sessions that are over and that
    the schedule has not looked at yet.
    """
    scanner_id = call.object_id("scanner_id")
    now = call.services.clock()
    with call.services.pool.connection() as conn:
        signs = scanner_health.signs(conn, call.tenant, scanner_id, now)
        if signs is None:
            raise NotFound
        definitions = definitions_of(conn, call.tenant)
        used = quota.quota(conn, call.tenant, now, call.services.limits.default_quota)
    standing = Quota(used["exhausted"], used["monthly_quota"], Period.of(now))
    unsupported = condition(call.tenant, signs.schedule.query, definitions, now).unsupported
    services = call.services
    installed = Installed(services.providers, services.catalogue)
    return Answer(health(signs, standing, installed, unsupported, now, services.patience))


OPERATIONS = (
    Operation(
        method="GET",
        path="scanners/{scanner_id:object}/health/",
        name="scanners_health_retrieve",
        scopes=("replay_scanner:read",),
        answer=retrieve_health,
        summary="Tell whether a scanner produces anything, and if not, why",
        success={200: ScannerHealthDocument},
        shows={200: examples.HEALTH},
    ),
)
