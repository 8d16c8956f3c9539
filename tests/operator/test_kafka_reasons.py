"""Why no broker could be used: what an operator is told of a wrong password, certificate, port or protocol."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kafka.errors import KafkaError

from consumers.transports.kafka.clients import Clients, NotReached
from consumers.transports.settings import KafkaSettings, LogSettings
from tests.live import free_port
from tests.servers.kafka import KafkaServer

WRONG = "of-somebody-else"
TRIES = 40
HUNG_UP = "check the security protocol, and with SASL its mechanism, user name and password"
"""The client may read that the broker hung up before the answer, and then has thrown the answer away."""


def secure(server: KafkaServer) -> KafkaSettings:
    return KafkaSettings(
        [server.sasl_ssl],
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        username=server.user,
        password=server.password,
        ca_file=str(server.ca_file),
    )


def said(settings: KafkaSettings) -> str:
    with pytest.raises(NotReached) as raised:
        Clients(settings, LogSettings()).admin()
    text = str(raised.value)
    assert isinstance(raised.value, KafkaError)
    assert text.startswith(f"no broker could be used at {settings.bootstrap_servers[0]}: ")
    assert len(text.splitlines()) == 1
    assert WRONG not in text
    return text


MISTAKES: dict[str, tuple[Callable[[KafkaServer], KafkaSettings], str]] = {
    "an authority that is not the brokers'": (
        lambda server: replace(secure(server), ca_file=str(Path(__file__).with_name("authority.pem"))),
        "CERTIFICATE_VERIFY_FAILED.*check the CA file",
    ),
    "TLS to a port without": (
        lambda server: replace(secure(server), bootstrap_servers=[server.bootstrap]),
        "Handshake failed.*check whether the port is one for TLS",
    ),
    "a port with TLS": (
        lambda server: KafkaSettings([server.sasl_ssl]),
        "check the security protocol",
    ),
    "a port with SASL": (
        lambda server: KafkaSettings([server.sasl_plaintext]),
        "check the security protocol",
    ),
    "SASL to a port without": (
        lambda server: replace(
            secure(server), security_protocol="SASL_PLAINTEXT", bootstrap_servers=[server.bootstrap], ca_file=None
        ),
        "the port takes no SASL",
    ),
    "nobody there": (
        lambda _: KafkaSettings([f"127.0.0.1:{free_port()}"]),
        "ECONNREFUSED",
    ),
    "no such host": (
        lambda _: KafkaSettings(["no-such-host.invalid:9092"]),
        "DNS Resolution failure",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_reason_is_told(kafka_server: KafkaServer, mistake: str) -> None:
    settings, reason = MISTAKES[mistake]
    assert re.search(reason, said(settings(kafka_server)))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"password": WRONG}, r"Authentication failed.*\(check user name and password\)"),
        ({"username": "nobody"}, r"Authentication failed.*\(check user name and password\)"),
        (
            {"sasl_mechanism": "SCRAM-SHA-512", "password": WRONG},
            r"Authentication failed.*\(check user name and password\)",
        ),
        ({"sasl_mechanism": "SCRAM-SHA-256"}, r"UnsupportedSaslMechanismError \(check the SASL mechanism\)"),
    ],
)
def test_what_the_brokers_refuse_is_told_in_their_words(
    kafka_server: KafkaServer, wrong: dict[str, str], reason: str
) -> None:
    """Not by every try, but by one of those that a process makes in its first minute; the others say where to look."""
    for _ in range(TRIES):
        text = said(replace(secure(kafka_server), **wrong))
        if re.search(reason, text):
            return
        assert HUNG_UP in text or "timed out" in text
    pytest.fail(f"none of {TRIES} tries was told {reason}")
