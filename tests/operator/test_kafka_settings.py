"""Settings of the brokers: what makes no sense is refused at the start, in one line that names the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import Settings
from tests.operator.starting import refused, started

AUTHORITY = Path(__file__).with_name("authority.pem")
"""A certificate that nothing uses; its key was thrown away."""


@pytest.mark.parametrize(
    "addresses",
    [
        "kafka:1",
        "kafka-1:9092,kafka-2:65535",
        " kafka:9092 , ",
        "127.0.0.1:9092",
        "[::1]:9092",
        "[2001:db8::1]:9092,k:1",
    ],
)
def test_addresses_of_brokers(addresses: str) -> None:
    assert Settings(kafka_bootstrap_servers=addresses).kafka is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "addresses",
    [
        *("kafka", "kafka:", ":9092", "kafka:port", "kafka:-1", "kafka:9092/x", "user:secret@kafka:9092", "::1:9092"),
        *("kafka:0", "kafka:00000", "kafka:65536", "kafka:99999", "kafka:123456", "[::1]:0", "good:9092,bad:0"),
    ],
)
def test_what_is_no_address_is_refused(addresses: str) -> None:
    told = refused(kafka_bootstrap_servers=addresses)
    assert told.startswith("REPLAY_VISION_KAFKA_BOOTSTRAP_SERVERS: an address is not of the form host:port")
    assert "secret" not in told


@pytest.mark.parametrize("nothing", [",", ",,,", " ", " , "])
@pytest.mark.parametrize("setting", ["kafka_bootstrap_servers", "capture_origins"])
def test_a_list_of_nothing_is_not_the_same_as_unset(setting: str, nothing: str) -> None:
    assert refused(**{setting: nothing}).startswith(f"REPLAY_VISION_{setting.upper()}: there is nothing in the list")


def test_an_empty_variable_is_the_same_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLAY_VISION_KAFKA_BOOTSTRAP_SERVERS", "")
    assert Settings().kafka is None


def test_a_file_of_authorities() -> None:
    assert Settings(kafka_ca_file=AUTHORITY).kafka_ca_file == AUTHORITY


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        bytes(range(256)),
        b"-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    ],
)
def test_a_file_without_a_certificate_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    told = refused(kafka_ca_file=path)
    assert told == f"REPLAY_VISION_KAFKA_CA_FILE: {path} is no PEM file with a certificate"


def test_a_certificate_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(AUTHORITY.read_bytes()[:-100])
    assert "is no PEM file with a certificate" in refused(kafka_ca_file=path)


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pem"):
        assert refused(kafka_ca_file=path) == f"REPLAY_VISION_KAFKA_CA_FILE: there is no file {path}"


@pytest.mark.parametrize("command", ["serve", "worker", "up"])
def test_the_start_ends_with_one_line(command: str, tmp_path: Path) -> None:
    done = started(command, HOME=str(tmp_path), KAFKA_BOOTSTRAP_SERVERS=",,,", KAFKA_PASSWORD="the-secret")
    assert done.returncode == 1
    assert done.stderr.startswith("replay-vision: REPLAY_VISION_KAFKA_BOOTSTRAP_SERVERS: ")
    assert len(done.stderr.splitlines()) == 1
    assert "the-secret" not in done.stderr
