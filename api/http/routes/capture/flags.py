"""Feature flags, of which there are none: SDKs ask, and older ones read the config from the answer (capture 1)."""

from fastapi import Request, Response

from api.http.answers import Answer
from api.http.routes.capture.remote_config import CONFIG
from api.http.services import services_of
from consumers.capture.wire.encodings import Json, decode_body
from consumers.capture.wire.refusals import UnknownToken

MAX_BYTES = 1024 * 1024
"""One question as sent: a token, an id, and what the site says about its visitor."""

ANSWER: dict[str, Json] = {
    **CONFIG,
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
}


def flags(request: Request, body: bytes) -> Response:
    """`POST /flags/` and `/decide/`, of any version. Raises a CaptureRefused."""
    asked = decode_body(body, request.headers.get("content-type", ""), request.query_params.get("compression", ""))
    given = asked if isinstance(asked, dict) else {}
    places = (given.get("token"), given.get("api_key"), request.query_params.get("token"))
    token = next((place for place in places if isinstance(place, str) and place), "")
    if services_of(request).tokens.environment_of(token) is None:
        raise UnknownToken("The project token is missing or belongs to no environment.")
    return Answer(ANSWER)
