"""A client that costs little beside the servers that it measures: no parsing but of the length of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

HEAD = b"POST /s/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"


async def send_all(port: int, posts: Sequence[bytes], clients: int) -> None:
    """Posts them all, each client its next one when its last is answered. Raises RuntimeError for a refusal."""
    waiting = iter(posts)
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_client(port, waiting))


async def _client(port: int, waiting: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for body in waiting:
        writer.write(HEAD % len(body) + body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        answer = await reader.readexactly(int(length))
        if b" 200 " not in head[:13]:
            message = f"{head.decode()}{answer.decode()}"
            raise RuntimeError(message)
    writer.close()
    await writer.wait_closed()
