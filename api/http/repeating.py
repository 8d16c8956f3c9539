"""The headers of writes that may be sent again; what is done with them is in `repeats`."""

from typing import Any

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
"""Header of an answer that was given before, or would have been: this request has changed nothing."""

LONGEST_KEY = 255
NO_KEY = f"{HEADER} must be one value of 1 to {LONGEST_KEY} printable ASCII characters."


class IdempotencyKey:
    """The request header, for the OpenAPI document."""

    name = HEADER

    def describe(self) -> dict[str, Any]:
        """The OpenAPI parameter object."""
        return {
            "name": self.name,
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]([ -~]*[!-~])?$"},
            "description": (
                "Makes this request safe to send again: for a day, the same request of the same user with the same key "
                "is answered as the first was and changes nothing. Errors are not kept. Another body: 409."
            ),
            "example": "order-4711-try-1",
        }


IDEMPOTENCY_KEY = IdempotencyKey()
