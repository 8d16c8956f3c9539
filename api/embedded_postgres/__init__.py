"""PostgreSQL without a database server to install: programs from a wheel, run by a launcher of our own."""

from api.embedded_postgres.errors import (
    EmbeddedPostgresError,
    HomeBelongsToAnother,
    HomeInUse,
    NoBinaries,
    NoServerAccount,
    OtherMajorVersion,
    StartFailed,
    StopFailed,
    UnsafeFolder,
)
from api.embedded_postgres.parameters import Tuning
from api.embedded_postgres.server import EmbeddedPostgres

__all__ = [
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "HomeBelongsToAnother",
    "HomeInUse",
    "NoBinaries",
    "NoServerAccount",
    "OtherMajorVersion",
    "StartFailed",
    "StopFailed",
    "Tuning",
    "UnsafeFolder",
]
