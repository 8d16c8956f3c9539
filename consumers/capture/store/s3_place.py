"""The address of recordings in an S3-compatible store: `s3://bucket/prefix`."""

import re
from dataclasses import dataclass
from typing import Self

SCHEME = "s3:"

_ADDRESS = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{2,62})((?:/[A-Za-z0-9._=-]+)*)/?")


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, and what stands before every key in it (may be empty)."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, address: str) -> Self:
        """Raises ValueError, with a text for the operator, for what is no such address."""
        found = _ADDRESS.fullmatch(address)
        prefix = found[2].strip("/") if found else ""
        if not found or not {".", ".."}.isdisjoint(prefix.split("/")):
            message = "an address in an S3 store has the form s3://bucket or s3://bucket/prefix"
            raise ValueError(message)
        return cls(found[1], prefix)
