"""One running installation for all tests of this folder (one a worker)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import Live

QUICK = {"settle_seconds": "2", "sweep_seconds": "1", "min_duration_seconds": "5", "min_active_seconds": "1"}


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with Live(tmp_path_factory.mktemp("live") / "home", **QUICK) as running:
        yield running
