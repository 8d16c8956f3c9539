"""Blocks with a deadline: who is late is ended, and nobody else."""

import asyncio

import pytest

from api.http.deadlines import Deadlines

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def waits(here: Deadlines, seconds: float) -> str:
    try:
        with here.block():
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "late"
    return "done"


async def test_who_is_late_is_ended_and_nobody_else() -> None:
    here = Deadlines(0.2)

    async def after(pause: float, seconds: float) -> str:
        await asyncio.sleep(pause)
        return await waits(here, seconds)

    began = asyncio.get_running_loop().time()
    found = await asyncio.gather(after(0, 30), after(0, 0.01), after(0.1, 30), after(0.1, 0.02), after(0.15, 0.1))
    assert found == ["late", "done", "late", "done", "done"]
    assert asyncio.get_running_loop().time() - began < 5


async def test_it_works_again_after_a_time_without_any() -> None:
    here = Deadlines(0.05)
    assert await waits(here, 0) == "done"
    await asyncio.sleep(0.1)
    assert [await waits(here, 30), await waits(here, 0), await waits(here, 30)] == ["late", "done", "late"]


async def test_a_task_that_somebody_ends_stays_ended() -> None:
    here = Deadlines(30)
    task = asyncio.create_task(waits(here, 30))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_raised_inside_is_raised() -> None:
    here = Deadlines(30)
    with pytest.raises(ValueError, match="mine"), here.block():
        raise ValueError("mine")


async def test_a_late_task_can_go_on() -> None:
    """Its next wait is not ended for what is over."""
    here = Deadlines(0.02)
    assert await waits(here, 30) == "late"
    await asyncio.sleep(0.05)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
