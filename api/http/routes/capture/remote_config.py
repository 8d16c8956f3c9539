"""What a browser SDK asks before it records: whether, and how (capture 1, "Remote config").

The addresses in it are relative to the SDK's own `api_host`: it puts them behind whatever address it asked under, the
configured prefix included. So they never name the prefix; naming it would double it.
"""

import json

from fastapi import Request, Response

from api.http.answers import Answer
from api.http.services import services_of
from consumers.capture.wire.encodings import Json
from consumers.capture.wire.refusals import UnknownToken

FRESH_SECONDS = 60
"""How long a cache may keep a config: every page load asks for it, and a rotated token is refused within a minute."""

CONFIG: dict[str, Json] = {
    "sessionRecording": {
        "endpoint": "/s/",
        "recorderVersion": "v2",
        "consoleLogRecordingEnabled": True,
        # Statuses and times of requests come with network_timing below. Either of these two would make the SDK wrap the
        # page's fetch and XMLHttpRequest, and visitors' data with them.
        "networkPayloadCapture": {"recordHeaders": False, "recordBody": False},
        "sampleRate": None,
        "minimumDurationMilliseconds": None,
        "linkedFlag": None,
    },
    "capturePerformance": {"network_timing": True, "web_vitals": False},
    "supportedCompression": ["gzip", "gzip-js"],
    "analytics": {"endpoint": "/i/v0/e/"},
    "elementsChainAsString": True,
    "autocapture_opt_out": False,
    "hasFeatureFlags": False,
    # Named and off: for what a config does not name, the SDK goes by an older one that it has kept.
    "autocaptureExceptions": False,
    "captureDeadClicks": False,
    "conversations": False,
    "heatmaps": False,
    "productTours": False,
    "surveys": False,
    "siteApps": [],
    "toolbarParams": {},
    "isAuthenticated": False,
    "defaultIdentifiedOnly": True,
}
"""Keys as posthog-js 1.160.3, 1.257.0 and 1.449.2 read them."""


def document(request: Request, _: bytes) -> Response:
    """`GET /array/{token}/config`. Raises UnknownToken.

    The SDK takes the JSON of any status for a config; a refusal names no `sessionRecording`, so it starts nothing.
    """
    _known(request)
    return Answer(CONFIG, headers=_fresh())


def script(request: Request, _: bytes) -> Response:
    """`GET /array/{token}/config.js`. Raises UnknownToken: the SDK then asks for the document."""
    token = _literal(_known(request))
    config = _literal(CONFIG)
    content = (
        "(function(){var all=window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};"
        f"all[{token}]={{config:{config},siteApps:[]}}}})();\n"
    )
    return Response(content, media_type="text/javascript", headers={**_fresh(), "X-Content-Type-Options": "nosniff"})


def _known(request: Request) -> str:
    token: str = request.path_params["token"]
    if services_of(request).tokens.environment_of(token) is None:
        raise UnknownToken("The project token belongs to no environment.")
    return token


def _literal(value: Json) -> str:
    """JSON that is also a literal of every JavaScript, inside a script element too."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _fresh() -> dict[str, str]:
    return {"Cache-Control": f"public, max-age={FRESH_SECONDS}"}
