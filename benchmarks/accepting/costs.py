"""What the processes of a measurement spend: on few cores the rate alone does not tell whose work it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import psycopg

Seconds = Callable[[], float]
"""CPU time so far, of user and system."""


@dataclass(slots=True)
class Cost:
    """Seconds of a round: by the clock, and of CPU time by who spent it."""

    clock: float = 0.0
    spent: dict[str, float] = field(default_factory=dict[str, float])


@contextmanager
def costs(of: dict[str, Seconds]) -> Iterator[Cost]:
    """What the block costs, whole when it has ended. The client is this process."""
    counted = {"client": time.process_time, **of}
    before = {name: seconds() for name, seconds in counted.items()}
    began = time.perf_counter()
    cost = Cost()
    yield cost
    cost.clock = time.perf_counter() - began
    cost.spent = {name: seconds() - before[name] for name, seconds in counted.items()}


def of_process(pid: int) -> Seconds:
    """CPU time of one process."""
    process = psutil.Process(pid)
    return lambda: sum(process.cpu_times()[:2])


def of_postgres(conninfo: str) -> Seconds:
    """CPU time of a PostgreSQL on this machine, all its processes together, also those that have ended."""
    with psycopg.connect(conninfo) as conn:
        postmaster = psutil.Process(conn.info.backend_pid).parent()
    assert postmaster is not None
    return lambda: sum(
        sum(process.cpu_times()[:4] if process == postmaster else process.cpu_times()[:2])
        for process in [postmaster, *postmaster.children()]
    )
