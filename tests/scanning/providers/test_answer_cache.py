"""Whether answers are reused is a setting of the worker processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.scanning.model_calls import counts
from tests.live import wait_until
from tests.scanning.providers.test_killed_worker import GOOGLE, set_up, worker
from tests.scanning.providers.vendor_scans import ANSWER, VendorScans
from tests.scanning.scans import Scans
from tests.servers.vendors.server import VendorServer

pytestmark = pytest.mark.usefixtures("readable")


@pytest.mark.parametrize(("switch", "requests"), [("", 1), ("off", 2)])
def test_a_worker_asks_again_only_when_it_is_switched_off(
    scans: Scans, database_url: str, tmp_path: Path, switch: str, requests: int
) -> None:
    set_up(scans)
    with VendorServer([GOOGLE.answer(ANSWER)]) as server:
        run = VendorScans.at(scans, GOOGLE, server)
        with worker(database_url, scans.folder, tmp_path / "home", server, ANSWER_CACHE=switch):
            first = run.request()
            wait_until(lambda: not scans.observation(first).in_flight, 60, "the first was not answered")
            second = run.request()
            wait_until(lambda: not scans.observation(second).in_flight, 60, "the second was not answered")
        assert len(server.requests) == requests
    assert [run.history(one)[-1] for one in (first, second)] == ["ObservationSucceeded"] * 2
    with scans.pool.connection() as connection:
        assert [(one.outcome, one.requests) for one in counts(connection)] == [("ok", 1)] * requests
    assert scans.last(second)["reused_from"] == (first if requests == 1 else None)
