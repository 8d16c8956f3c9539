"""Which sessions a scanner samples: deterministic, salted by scanner, and monotone in the rate."""

from hashlib import sha256
from uuid import UUID

BUCKETS = 10_000
"""Resolution of a sampling rate: 0 < r < 0.0001 is refused when saved (contract 3.1)."""


def sampled(scanner_id: UUID, session_id: str, rate: float) -> bool:
    """Whether the session falls within the rate (0..1).

    The bucket depends only on scanner and session, so raising a rate only adds sessions. The threshold is rounded,
    because 0.57 x 10,000 is 5699.99... in floating point (engine trap 33).
    """
    digest = sha256(f"{scanner_id}:{session_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS < round(rate * BUCKETS)
