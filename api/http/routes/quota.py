"""The organization's quota (contract 7)."""

from starlette.responses import Response

from api.http import examples
from api.http.answers import Answer
from api.http.calls import Call, Operation
from api.http.documents import QuotaDocument
from projections.queries import quota


def retrieve_quota(call: Call) -> Response:
    """What the organization may use and has used this UTC month, over all its projects."""
    with call.services.pool.connection() as conn:
        found = quota.quota(conn, call.tenant, call.services.clock(), call.services.limits.default_quota)
    return Answer(found)


OPERATIONS = (
    Operation(
        method="GET",
        path="quota/",
        name="quota_retrieve",
        scopes=("replay_scanner:read",),
        answer=retrieve_quota,
        summary="Retrieve the quota",
        success={200: QuotaDocument},
        known_as="environment_vision_quota_retrieve",
        shows={200: examples.QUOTA},
    ),
)
