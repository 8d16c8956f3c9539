"""Buckets of the S3 server that tests share, and blobs in them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

from consumers.capture.store.s3_blobs import S3Blobs
from consumers.capture.store.s3_place import S3Place
from tests.servers.s3 import S3Server


@dataclass(frozen=True)
class Bucket:
    server: S3Server
    name: str

    @classmethod
    def made(cls, server: S3Server) -> Bucket:
        bucket = cls(server, f"capture-{uuid4().hex[:8]}")
        server.create_bucket(bucket.name)
        return bucket

    def variables(self, secret: str | None = None) -> dict[str, str]:
        """What an operator sets, beside the address."""
        return {
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": secret or self.server.secret_key,
            "AWS_REGION": self.server.region,
            "AWS_ENDPOINT_URL": self.server.endpoint,
        }

    def blobs(self, prefix: str = "recordings", secret: str | None = None) -> S3Blobs:
        """Another client of the bucket, as one of another machine."""
        return client(S3Place(self.name, prefix), self.variables(secret))

    def files(self) -> list[Path]:
        """The keys of everything in the bucket, whoever put it there."""
        root = self.server.folder / "buckets" / self.name
        return [path.relative_to(root) for path in root.rglob("*") if path.is_file()]

    def changed(self, key: Path) -> int:
        """When the object was last written, in nanoseconds."""
        return (self.server.folder / "buckets" / self.name / key).stat().st_mtime_ns


def client(place: S3Place, variables: dict[str, str]) -> S3Blobs:
    """A client that reads these variables, and none of this machine's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with patch.dict(os.environ, kept | variables, clear=True):
        return S3Blobs(place)
