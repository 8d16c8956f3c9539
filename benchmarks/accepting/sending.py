"""A client that costs little beside the servers that it measures: no parsing but of the length of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

HEAD = b"POST /s/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"


async def send_all(port: int, posts: Sequence[bytes], clients: int) -> None:
    """Posts them all, each client its next one when its last is answered. Raises RuntimeError for a refusal."""
    loop = asyncio.get_running_loop()
    waiting = iter(posts)
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            _, client = await loop.create_connection(lambda: _Client(waiting), "127.0.0.1", port)
            group.create_task(client.gone())


class _Client(asyncio.Protocol):
    """One connection, which stays open until nothing waits any more."""

    def __init__(self, waiting: Iterator[bytes]) -> None:
        self._waiting = waiting
        self._answer = b""
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def gone(self) -> None:
        await self._gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, ended, body = self._answer.partition(b"\r\n\r\n")
        if not ended or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        if b" 200 " not in head[:13]:
            self._gone.set_exception(RuntimeError(self._answer.decode()))
            self._transport.abort()
            return
        self._answer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_exception(exc or RuntimeError("the server has left"))

    def _send(self) -> None:
        body = next(self._waiting, None)
        if body is None:
            self._gone.set_result(None)
            self._transport.close()
        else:
            self._transport.write(HEAD % len(body) + body)
