"""One running installation that serves the SDK's files too, and the browser that it records."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import driver
from tests.browser.demo_site import LEAN, MODULES
from tests.live import Live
from tests.servers.missing import give_up

SETTINGS = {
    "settle_seconds": "8",  # longer than a recorder holds back what it has
    "sweep_seconds": "1",
    "min_duration_seconds": "3",
    "min_active_seconds": "1",
    "capture_sdk_folder": str(MODULES / LEAN.package / "dist"),
}


@pytest.fixture(scope="session")
def chromium() -> driver.Chromium:
    found = driver.found()
    if isinstance(found, str):
        give_up("browser", found)
    return found


@pytest.fixture(scope="session")
def live(chromium: driver.Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with Live(tmp_path_factory.mktemp("browser") / "home", **SETTINGS) as running:
        yield running
