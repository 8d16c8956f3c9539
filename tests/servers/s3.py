"""A real S3-compatible server that checks the signatures of requests: S3Proxy on a folder."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from tests.servers.ports import LOOPBACK
from tests.servers.server import Server

HEAP = ("-Xms32m", "-Xmx256m")
ANSWER_SECONDS = 1


class S3Server(Server):
    """The server of one folder. Buckets are addressed by path (`endpoint/bucket/key`), not by host name."""

    project: ClassVar = Path(__file__).with_name("s3")
    port_count: ClassVar = 1
    access_key, secret_key, region = "replay-vision", "of-the-blobs", "us-east-1"

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports[0]}"

    def create_bucket(self, name: str) -> None:
        """A new, empty bucket; at least three characters. Raises FileExistsError."""
        (self.folder / "buckets" / name).mkdir()

    def _prepare(self, jars: str) -> Sequence[str]:
        buckets = self.folder / "buckets"
        buckets.mkdir(exist_ok=True)
        settings = self.folder / "s3proxy.properties"
        settings.write_text(
            f"s3proxy.endpoint={self.endpoint}\n"
            "s3proxy.authorization=aws-v2-or-v4\n"
            f"s3proxy.identity={self.access_key}\n"
            f"s3proxy.credential={self.secret_key}\n"
            "jclouds.provider=filesystem-nio2\n"
            f"jclouds.filesystem.basedir={buckets}\n"
        )
        logs = f"-Dlogback.configurationFile={self.project / 'logback.xml'}"
        return [*HEAP, logs, "org.gaul.s3proxy.Main", "--properties", str(settings)]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=ANSWER_SECONDS):  # noqa: S310 - our own address
                return True
        except urllib.error.HTTPError as refused:
            # Whoever does not sign is refused: the server is there.
            with refused:
                return refused.code == HTTPStatus.FORBIDDEN
        except OSError:
            return False
