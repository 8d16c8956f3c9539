"""A small client of our own HTTP API for commands that act as a user would."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from api.credentials import Credentials
from api.failures import Failure
from api.own_address import DIRECT

TIMEOUT_SECONDS = 30


class Client:
    """Calls with the key of credentials.json, within one environment."""

    def __init__(self, address: str, credentials: Credentials) -> None:
        self._base = f"{address}/api/environments/{credentials.environment_id}/vision/"
        self._key = credentials.api_key

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """Raises Failure with the server's own words when it refuses or cannot be reached."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        try:
            with DIRECT.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            detail = error.read(2000).decode(errors="replace")
            message = f"{method} {path} was answered with {error.code}: {detail}"
            raise Failure(message) from error
        except (urllib.error.URLError, TimeoutError) as error:
            message = f"{method} {path} got no answer: {error}"
            raise Failure(message) from error
