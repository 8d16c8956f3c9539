"""Every setting of the operator interface, read once from the environment and passed down as small frozen values."""

from __future__ import annotations

import os
import re
import secrets
import ssl
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.delivery_settings import OutwardSettings
from api.vendor_settings import VendorSettings
from commands.observations import ObservationLimits
from consumers.actions.selection import CAP, HIGHEST_CAP
from consumers.capture.digest.limits import GENEROUS, CaptureLimits
from consumers.capture.store.s3_place import SCHEME, S3Place
from consumers.transports.settings import KafkaSettings
from domain.accounts import LONGEST_RETENTION_DAYS
from domain.eligibility import EligibilityLimits

PREFIX = "REPLAY_VISION_"

RECORD_BYTES_OF = {
    "events": 1_000_000,
    "ticks": 100_000,
    "snapshots": 10_000_000,
    "analytics": 1_000_000,
    "signals": 100_000,
}
"""Largest record of each topic on Kafka. An event has 256 KiB at most, a snapshot message 8 MiB, an analytics message
half a megabyte, a signal some 10 KiB; all have headers."""
_Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_LAST_PORT = 65_535
_HOST = re.compile(r"[\w.:-]*\w[\w.:-]*")
_Limit = Annotated[int, Field(ge=1, le=2**60)]
_Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Settings(VendorSettings, OutwardSettings, BaseSettings):
    """The settings of one process. Names are the operator interface's, without the prefix.

    Raises pydantic's ValidationError for a value that makes no sense; the CLI prints it as one line a setting.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, allow_inf_nan=False
    )

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=_LAST_PORT)] = 8000
    home: Path = Path(".replay-vision")
    database_url: str | None = None
    kafka_bootstrap_servers: Annotated[list[str], NoDecode] = []
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    kafka_topic_prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,39})?$")] = "vision."
    kafka_snapshots_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,55}$")] | None = None
    demo: bool | None = None
    settle_seconds: _Seconds = 2100
    sweep_seconds: _Seconds = 300
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    secret_key: str | None = None
    blobs_url: str | None = None
    retention_days: Annotated[int, Field(ge=1, le=LONGEST_RETENTION_DAYS)] = 30
    min_duration_seconds: Annotated[float, Field(ge=0)] = 15
    min_active_seconds: Annotated[float, Field(ge=0)] = 10
    max_active_seconds: Annotated[float, Field(gt=0)] = 3600
    in_flight_per_scanner: Annotated[int, Field(ge=1, le=100_000)] = 150
    in_flight_per_environment: Annotated[int, Field(ge=1, le=100_000)] = 300
    monthly_quota: _Count = 3000
    scheduled_scans_per_day: _Count = 5000
    on_exhausted: Literal["wait", "skip"] = "wait"
    rate_limit: Literal["off", "upstream"] = "off"
    masking: Literal["on", "off"] = "on"
    report_observations: Annotated[int, Field(ge=1, le=HIGHEST_CAP)] = CAP
    capture_prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_-]+)*$")] = ""
    capture_origins: Annotated[list[str], NoDecode] = []
    capture_sdk_folder: Path | None = None
    capture_bytes_per_day: _Limit = GENEROUS.bytes_per_day
    capture_sessions_per_day: _Limit = GENEROUS.sessions_per_day
    capture_parts_per_session: _Limit = GENEROUS.parts_per_session
    capture_bytes_per_session: _Limit = GENEROUS.bytes_per_session

    @field_validator("capture_origins", "kafka_bootstrap_servers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not parts:
            # Not the same as unset, which would be the log in the database, or any origin.
            message = "there is nothing in the list; unset it for the default"
            raise ValueError(message)
        return parts

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        found = [_ADDRESS.fullmatch(address) for address in value]
        if not all(address and 1 <= int(address[2]) <= _LAST_PORT for address in found):
            message = f"an address is not of the form host:port, with a port from 1 to {_LAST_PORT}"
            raise ValueError(message)
        return value

    @field_validator("kafka_ca_file")
    @classmethod
    def _authorities(cls, value: Path | None) -> Path | None:
        """Read once now: a file that is none would look like brokers that do not answer."""
        if value is None:
            return None
        try:
            if not value.is_file():
                message = f"there is no file {value}"
                raise ValueError(message)
            found = ssl.create_default_context(cafile=value).cert_store_stats()["x509"]
        except ssl.SSLError:
            found = 0
        except OSError as error:
            message = f"{value} cannot be read: {error.strerror}"
            raise ValueError(message) from None
        if not found:
            message = f"{value} is no PEM file with a certificate"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _topic_of_others(self) -> Self:
        topic = self.kafka_snapshots_topic
        if topic is None:
            return self
        if not self.kafka_bootstrap_servers:
            message = f"with {PREFIX}KAFKA_SNAPSHOTS_TOPIC, {PREFIX}KAFKA_BOOTSTRAP_SERVERS must be set"
            raise ValueError(message)
        own = topic.startswith(self.kafka_topic_prefix) if self.kafka_topic_prefix else topic in RECORD_BYTES_OF
        if own:
            message = f"{PREFIX}KAFKA_SNAPSHOTS_TOPIC is for a topic of others, and {topic} would be one of ours"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Settings of the transport that only make sense together."""
        given = (self.kafka_sasl_mechanism, self.kafka_username, self.kafka_password)
        wanted = self.kafka_security_protocol.startswith("SASL_")
        if wanted and not all(given):
            message = (
                f"with {PREFIX}KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}, {PREFIX}KAFKA_SASL_MECHANISM, "
                f"{PREFIX}KAFKA_USERNAME and {PREFIX}KAFKA_PASSWORD must be set"
            )
            raise ValueError(message)
        if not wanted and any(given):
            message = (
                f"{PREFIX}KAFKA_SASL_MECHANISM, {PREFIX}KAFKA_USERNAME and {PREFIX}KAFKA_PASSWORD need "
                f"{PREFIX}KAFKA_SECURITY_PROTOCOL to be SASL_SSL or SASL_PLAINTEXT"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _some_session_is_scanned(self) -> Self:
        if self.max_active_seconds < self.min_active_seconds:
            message = (
                f"{PREFIX}MAX_ACTIVE_SECONDS is below {PREFIX}MIN_ACTIVE_SECONDS, so that no session would be scanned"
            )
            raise ValueError(message)
        return self

    @field_validator("home")
    @classmethod
    def _folder(cls, value: Path) -> Path:
        """Absolute. It may be missing, and is made where it is needed."""
        home = value.expanduser().absolute()
        found = next(path for path in (home, *home.parents) if os.path.lexists(path))
        if not found.is_dir():
            message = f"{found} is not a folder"
            raise ValueError(message)
        return home

    @field_validator("capture_sdk_folder")
    @classmethod
    def _sdk(cls, value: Path | None) -> Path | None:
        """It must be there: nothing of ours would fill it."""
        if value is None:
            return None
        folder = value.expanduser().absolute()
        if not folder.is_dir():
            message = f"{folder} is not a folder"
            raise ValueError(message)
        return folder

    @field_validator("public_url")
    @classmethod
    def _has_host(cls, value: str | None) -> str | None:
        """Two parsers, since links are made of the text as given: pydantic's alone takes `http:///x` for a host x."""
        if value is None:
            return None
        try:
            AnyHttpUrl(value)
            host = urlsplit(value).hostname or ""
        except ValueError:
            host = ""
        if not _HOST.fullmatch(host):
            message = "it is not of the form http://host or https://host:port, with a host that there can be"
            raise ValueError(message)
        return value

    @field_validator("secret_key")
    @classmethod
    def _not_blank(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            message = "there are only blanks in it; unset it for the one in the home folder"
            raise ValueError(message)
        return value

    @property
    def kafka(self) -> KafkaSettings | None:
        """How to reach the brokers; None for the log in the database."""
        if not self.kafka_bootstrap_servers:
            return None
        return KafkaSettings(
            self.kafka_bootstrap_servers,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=self.kafka_password.get_secret_value() if self.kafka_password else None,
            ca_file=str(self.kafka_ca_file) if self.kafka_ca_file else None,
            record_bytes_of=RECORD_BYTES_OF,
        )

    @property
    def address(self) -> str:
        """Where this process listens, as a URL that works on this machine."""
        host = "127.0.0.1" if self.host == "0.0.0.0" else "[::1]" if self.host == "::" else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    @property
    def links(self) -> str:
        """The base of every absolute link: the public address, without a trailing slash."""
        return (self.public_url or self.address).rstrip("/")

    @property
    def masked(self) -> bool:
        """Whether evidence is without personal data."""
        return self.masking == "on"

    @property
    def eligibility(self) -> EligibilityLimits:
        return EligibilityLimits(self.min_duration_seconds, self.min_active_seconds, self.max_active_seconds)

    @property
    def capture_limits(self) -> CaptureLimits:
        """What one project token may send."""
        return CaptureLimits(
            bytes_per_day=self.capture_bytes_per_day,
            sessions_per_day=self.capture_sessions_per_day,
            parts_per_session=self.capture_parts_per_session,
            bytes_per_session=self.capture_bytes_per_session,
        )

    @property
    def observation_limits(self) -> ObservationLimits:
        """The caps, with the operator interface's share kept for requests on demand (never the whole cap)."""
        return ObservationLimits(
            default_quota=self.monthly_quota,
            per_scanner=self.in_flight_per_scanner,
            per_environment=self.in_flight_per_environment,
            kept_per_scanner=min(25, self.in_flight_per_scanner // 2),
            kept_per_environment=min(50, self.in_flight_per_environment // 2),
            scheduled_per_day=self.scheduled_scans_per_day,
        )

    @field_validator("blobs_url")
    @classmethod
    def _folder_or_bucket(cls, value: str | None) -> str | None:
        if value is not None and value.startswith(SCHEME):
            S3Place.parse(value)
        elif value is not None and "://" in value and not value.startswith("file://"):
            message = f"recordings go to a folder or to s3://bucket/prefix, not to {value.split(':')[0]}"
            raise ValueError(message)
        return value

    @property
    def blobs_bucket(self) -> S3Place | None:
        """Where in an S3-compatible store recordings are kept; None for a folder."""
        return S3Place.parse(self.blobs_url) if self.blobs_url and self.blobs_url.startswith(SCHEME) else None

    @property
    def blobs_folder(self) -> Path:
        """Where recordings are kept when it is not `blobs_bucket`."""
        if self.blobs_url is None:
            return self.home / "blobs"
        return Path(self.blobs_url.removeprefix("file://")).expanduser().absolute()

    def secret(self, *, create: bool) -> bytes:
        """The installation's secret: the setting, or the file in the home folder.

        `create` makes a missing file; without it (roles that run apart) ValueError is raised, since each would make
        its own.
        """
        if self.secret_key:
            return self.secret_key.encode()
        path = self.home / "secret.key"
        if not create and not path.exists():
            message = f"{PREFIX}SECRET_KEY must be set when roles run apart"
            raise ValueError(message)
        return _created(path)


def _created(path: Path) -> bytes:
    """The content of a secret file; a missing one is created whole (mode 0600) or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # fails when another process was first; then its secret counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes().strip()
