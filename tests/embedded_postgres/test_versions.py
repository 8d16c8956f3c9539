"""Data of another major version of PostgreSQL."""

from pathlib import Path

import psycopg
import pytest

from api.embedded_postgres import EmbeddedPostgres, NoBinaries, OtherMajorVersion, Tuning
from api.embedded_postgres.binaries import installed

QUICK = Tuning(crash_safe=False)


def version(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.info.server_version // 10000


def test_data_of_another_major_version_is_refused_and_left_alone(homes: Path) -> None:
    older = EmbeddedPostgres(homes / "home", QUICK, binaries=installed(16))
    with older:
        assert version(older.url) == 16
    with pytest.raises(
        OtherMajorVersion, match=r"written by PostgreSQL 16; .* brings 18 .* Nothing was changed"
    ) as refused:
        EmbeddedPostgres(homes / "home", QUICK).start()
    assert "REPLAY_VISION_DATABASE_URL" in str(refused.value)
    with older:
        assert version(older.url) == 16


def test_data_of_another_major_version_is_refused_while_its_server_still_runs(homes: Path) -> None:
    older = EmbeddedPostgres(homes / "home", QUICK, binaries=installed(16))
    older.start()
    older.detach()
    with pytest.raises(OtherMajorVersion):
        EmbeddedPostgres(homes / "home", QUICK).start()
    older.destroy()


def test_a_version_that_is_not_shipped_is_named() -> None:
    with pytest.raises(NoBinaries, match="PostgreSQL 9"):
        installed(9)
