"""The signature of a webhook, by the Standard Webhooks specification (version v1, symmetric)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from domain.webhook_secret import PREFIX


def signature_headers(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` (whole seconds) and `webhook-signature`, with one signature a secret.

    A receiver takes the message when it finds one of its own secret's among them. Without secrets there is no
    signature, which a receiver that verifies refuses. Raises ValueError for a secret that is none.
    """
    seconds = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), seconds.encode(), body))
    headers = {"webhook-id": message_id, "webhook-timestamp": seconds}
    if secrets:
        headers["webhook-signature"] = " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets)
    return headers


def _signature(secret: str, signed: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is base64 after its prefix") from error
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
