"""Concurrent reads share threads and connections, and each gets its own answer (engine 10, trap 17)."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.contract.site import Site, observe, scanner


@pytest.mark.rule("trap/17")
def test_every_reader_gets_its_own_answer(site: Site) -> None:
    api = site.client()
    made = [scanner(api, str(uuid4()), description=f"number {number}") for number in range(10)]
    rows = [observe(api, one["id"], f"read {one['id']}") for one in made]

    def read(number: int) -> bool:
        one, row = made[number % 10], rows[number % 10]
        if number % 3 == 0:
            return api.get(f"scanners/{one['id']}/").json() == one
        if number % 3 == 1:
            return [found["id"] for found in api.get(f"scanners/{one['id']}/observations/").json()["results"]] == [row]
        found = api.get("observations/", params={"session_id": f"read {one['id']}"}).json()["results"]
        return [each["scanner_id"] for each in found] == [one["id"]]

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(read, range(300)))
