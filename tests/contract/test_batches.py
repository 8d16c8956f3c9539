"""Work of the same moment is done in one go; each call gets what came of its own item, or learns it is too much."""

import threading
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.to_thread
import pytest

from api.http.batches import Batches
from api.http.line import Full

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Work:
    """Doubles up to `most` numbers once it is let go on; a word breaks its batch, a negative number its own call."""

    def __init__(self, most: int = 10) -> None:
        self.most = most
        self.batches: list[list[Any]] = []
        self.inside = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        self.batches.append(list(items))
        self.inside.set()
        assert self.go_on.wait(10)
        if "broken" in items:
            raise RuntimeError("broken")
        return [ValueError(item) if item < 0 else 2 * item for item in items[: self.most]]


def batches(work: Work, **changes: Any) -> Batches[Any, Any]:
    return Batches(work, **{"threads": 1, "size": 10, "waiting": 5, "seconds": 30, **changes})


async def told(work: Work, here: Batches[Any, Any], first: Any, then: Sequence[Any]) -> dict[Any, Any]:
    """What each call was told; all but the first come while its batch is under way."""
    answers: dict[Any, Any] = {}

    async def ask(item: Any) -> None:
        try:
            answers[item] = await here.run(item)
        except (Full, ValueError, RuntimeError) as error:
            answers[item] = type(error)

    async with anyio.create_task_group() as group:
        group.start_soon(ask, first)
        assert await anyio.to_thread.run_sync(work.inside.wait, 10)
        for item in then:
            group.start_soon(ask, item)
        await anyio.sleep(0.05)
        work.go_on.set()
    return answers


async def test_those_who_wait_share_the_next_batches() -> None:
    work = Work()
    assert await told(work, batches(work, size=2), 1, [2, 3, 4]) == {1: 2, 2: 4, 3: 6, 4: 8}
    assert work.batches == [[1], [2, 3], [4]]


async def test_what_a_batch_leaves_is_first_in_the_next() -> None:
    work = Work(most=2)
    assert await told(work, batches(work, size=3), 1, [2, 3, 4, 5]) == {1: 2, 2: 4, 3: 6, 4: 8, 5: 10}
    assert work.batches == [[1], [2, 3, 4], [4, 5]]


async def test_what_came_of_one_is_told_to_no_other() -> None:
    work = Work()
    assert await told(work, batches(work), 1, [2, -3, 4]) == {1: 2, 2: 4, -3: ValueError, 4: 8}


async def test_what_breaks_a_batch_is_told_to_all_of_it_and_the_next_goes_on() -> None:
    work = Work()
    here = batches(work, size=2)
    assert await told(work, here, 1, ["broken", 3, 4]) == {1: 2, "broken": RuntimeError, 3: RuntimeError, 4: 8}


async def test_too_many_are_told_at_once() -> None:
    work = Work()
    answers = await told(work, batches(work, waiting=2), 1, [2, 3, 4])
    assert answers == {1: 2, 2: 4, 3: 6, 4: Full}


async def test_who_has_waited_too_long_is_in_no_batch() -> None:
    work = Work()
    assert await told(work, batches(work, seconds=0.02), 1, [2, 3]) == {1: 2, 2: Full, 3: Full}
    assert work.batches == [[1]]


async def test_who_is_gone_is_in_no_batch() -> None:
    work = Work()
    here = batches(work)
    async with anyio.create_task_group() as group:
        group.start_soon(here.run, 1)
        assert await anyio.to_thread.run_sync(work.inside.wait, 10)
        with anyio.move_on_after(0.01):
            await here.run(2)
        work.go_on.set()
    assert await here.run(3) == 6
    assert work.batches == [[1], [3]]
