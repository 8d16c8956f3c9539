"""A line of requests: turns, places and room are given back however a request ends."""

import threading

import anyio
import anyio.to_thread
import pytest

from api.http.line import Full, Line

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def line(threads: int = 1, waiting: int = 1, seconds: float = 30, bytes_in_hand: int = 100) -> Line:
    return Line(threads, waiting=waiting, seconds=seconds, bytes_in_hand=bytes_in_hand)


async def begun(inside: threading.Event) -> None:
    assert await anyio.to_thread.run_sync(inside.wait, 10)


def work(inside: threading.Event, done: threading.Event) -> None:
    inside.set()
    assert done.wait(10)


async def test_who_finds_the_line_full_is_told_at_once() -> None:
    here, inside, done = line(), threading.Event(), threading.Event()
    answers: list[int] = []

    async def second() -> None:
        answers.append(await here.run(lambda: 2))

    async with anyio.create_task_group() as group:
        group.start_soon(here.run, lambda: work(inside, done))
        await begun(inside)
        group.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(Full):
            await here.run(lambda: 3)
        with pytest.raises(Full), here.body():
            pytest.fail("a body would have been read that nobody takes")
        assert answers == []
        done.set()
    assert answers == [2]
    assert await here.run(lambda: 4) == 4


async def test_nobody_waits_for_longer_than_allowed() -> None:
    here, inside, done = line(seconds=0.05), threading.Event(), threading.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(here.run, lambda: work(inside, done))
        await begun(inside)
        for _ in range(3):
            with pytest.raises(Full):
                await here.run(lambda: 2)
        done.set()
    assert await here.run(lambda: 4) == 4


async def test_who_leaves_gives_the_place_back() -> None:
    here, inside, done = line(), threading.Event(), threading.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(here.run, lambda: work(inside, done))
        await begun(inside)
        for _ in range(3):
            with anyio.move_on_after(0.01) as left:
                await here.run(lambda: 2)
            assert left.cancelled_caught
        done.set()
    assert await here.run(lambda: 4) == 4


async def test_what_fails_gives_the_turn_back() -> None:
    here = line(waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await here.run(lambda: 1 // 0)
    assert await here.run(lambda: 4) == 4


async def test_the_frameworks_threads_are_not_used() -> None:
    here = line(threads=2)
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens, before = 1, limiter.total_tokens
    inside, done = threading.Event(), threading.Event()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(here.run, lambda: work(inside, done))
            await begun(inside)
            assert limiter.borrowed_tokens == 0
            done.set()
    finally:
        limiter.total_tokens = before


def test_room_is_claimed_piece_by_piece_and_given_back_whole() -> None:
    here = line()
    with here.body() as claim, here.body() as other:
        claim(60)
        other(40)
        with pytest.raises(Full):
            other(1)

    def fail() -> None:
        with here.body() as claim:
            claim(100)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with here.body() as claim:
        claim(100)


def test_large_bodies_leave_room_for_small_ones() -> None:
    """Whoever sends large ones slowly keeps nobody else away."""
    here = line(bytes_in_hand=8 * 300_000)
    with here.body() as large, here.body() as small, here.body() as other:
        for _ in range(7):
            large(300_000)
        with pytest.raises(Full):
            large(1)
        small(200_000)
        with pytest.raises(Full):
            small(100_000)
        other(100_000)
