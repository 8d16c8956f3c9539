"""Which sessions a scanner samples: deterministic, salted by scanner, and monotone in the rate."""

from hashlib import sha256
from uuid import UUID

BUCKETS = 10_000
"""Resolution of a sampling rate: 0 < r < 0.0001 is refused when saved (contract 3.1)."""


def sampled(scanner_id: UUID, session_id: str, rate: float) -> bool:
    """Whether the session falls within the rate (0..1).

    The bucket depends only on scanner and session, so raising a rate only adds sessions. Selection says the same in SQL
    (consumers/selection/candidates.py); a property test holds the two together.
    """
    digest = sha256(f"{scanner_id}:{session_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS < threshold(rate)


def threshold(rate: float) -> int:
    """The buckets of a rate, those below this number: rounded, because 0.57 x 10,000 is 5699.99... (engine trap 33)."""
    return round(rate * BUCKETS)
