"""A real Apache Kafka broker: one KRaft node on the loopback address, with listeners of every kind that we speak."""

from __future__ import annotations

import logging
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.servers.certificate import KEYS_PASSWORD, make_certificate
from tests.servers.java import SMALL, java
from tests.servers.ports import LOOPBACK
from tests.servers.server import Server, StartFailed

CUTS = 8
"""Ways to the broker through a proxy; as many as there are test processes in the largest run (`make test`)."""
HEAP = ("-Xms128m", "-Xmx512m")
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qg"
"""Sixteen bytes in base 64, as the storage tool wants them; each broker of the tests is a cluster by itself."""
USER, PASSWORD = "replay-vision", "of-the-broker"
FORMAT_SECONDS = 60
ANSWER_MS = 10_000
OWN = ("CONTROLLER", "DIRECT", "SASL_SSL", "SASL_PLAINTEXT")


class Way(NamedTuple):
    """A listener that tells its clients another address than its own: that of a proxy they came through."""

    listener: int
    """The port on which the broker listens."""
    proxy: int
    """The port that it advertises."""


class KafkaServer(Server):
    """The broker of one folder.

    Topics are created by those who use them. The user may come by PLAIN and SCRAM-SHA-512 to the SASL listeners; nobody
    has to be anybody at the others, and everybody may do everything.
    """

    project: ClassVar = Path(__file__).with_name("kafka")
    port_count: ClassVar = len(OWN) + 2 * CUTS
    user, password = USER, PASSWORD

    @property
    def bootstrap(self) -> str:
        """PLAINTEXT, without a proxy."""
        return self._address("DIRECT")

    @property
    def sasl_ssl(self) -> str:
        """SASL_SSL with `user` and `password`, for clients that trust `ca_file`."""
        return self._address("SASL_SSL")

    @property
    def sasl_plaintext(self) -> str:
        """SASL_PLAINTEXT with `user` and `password`."""
        return self._address("SASL_PLAINTEXT")

    @property
    def ca_file(self) -> Path:
        """PEM file of the authority that has signed the broker's certificate; there after the first start."""
        return self.folder / "ca.pem"

    def ways(self) -> list[Way]:
        """The listeners for proxies. Nobody listens at the proxies' ports until a test does."""
        ports = self.ports[len(OWN) :]
        return [Way(listener, proxy) for listener, proxy in zip(ports[:CUTS], ports[CUTS:], strict=True)]

    def _address(self, name: str) -> str:
        return f"{LOOPBACK}:{self.ports[OWN.index(name)]}"

    def _prepare(self, jars: str) -> Sequence[str]:
        settings = self.folder / "server.properties"
        settings.write_text(self._settings())
        make_certificate(self.folder / "keys.p12", self.ca_file)
        logs = f"-Dlog4j2.configurationFile={self.project / 'log4j2.properties'}"
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(jars, logs, settings)
        return [*HEAP, logs, "kafka.Kafka", str(settings)]

    def _format(self, jars: str, logs: str, settings: Path) -> None:
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        tool = [java(), *SMALL, logs, "-cp", jars, "kafka.tools.StorageTool"]
        formatted = subprocess.run(
            [*tool, "format", "-t", CLUSTER_ID, "-c", str(settings), "--add-scram", scram],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FORMAT_SECONDS,
        )
        if formatted.returncode != 0:
            raise StartFailed(f"{self.folder} cannot be formatted: {formatted.stdout}{formatted.stderr}")

    def _settings(self) -> str:
        own = {name: self._address(name) for name in OWN}
        listeners, advertised = dict(own), {name: own[name] for name in own if name != "CONTROLLER"}
        for number, way in enumerate(self.ways()):
            listeners[f"CUT{number}"] = f"{LOOPBACK}:{way.listener}"
            advertised[f"CUT{number}"] = f"{LOOPBACK}:{way.proxy}"
        protocols = {name: name if name.startswith("SASL") else "PLAINTEXT" for name in listeners}
        values = {
            "CONTROLLER": own["CONTROLLER"],
            "LISTENERS": ",".join(f"{name}://{address}" for name, address in listeners.items()),
            "ADVERTISED": ",".join(f"{name}://{address}" for name, address in advertised.items()),
            "PROTOCOLS": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            "DATA": str(self.folder / "data"),
            "PLAIN": f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
            "KEYS": str(self.folder / "keys.p12"),
            "KEYS_PASSWORD": KEYS_PASSWORD,
        }
        text = (self.project / "server.properties").read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text

    def _answers(self) -> bool:
        """A broker that listens is not yet one that has joined its own cluster, and only that one makes topics."""
        try:
            socket.create_connection((LOOPBACK, self.ports[OWN.index("DIRECT")]), timeout=1).close()
        except OSError:
            return False
        with suppress(KafkaError), _quiet():
            limits: dict[str, Any] = {"bootstrap_timeout_ms": ANSWER_MS, "request_timeout_ms": ANSWER_MS}
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, **limits)
            try:
                return bool(admin.describe_cluster()["brokers"])
            finally:
                admin.close()
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """While a broker starts, a client's complaints about it are what is expected."""
    log = logging.getLogger("kafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
