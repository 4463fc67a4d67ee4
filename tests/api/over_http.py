"""The application behind a real socket in this process, and callers that send whatever bytes they like."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from service.api.wire import OnePacketProtocol
from service.main import listening


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """The port on which the application answers; its lifespan is somebody else's."""
    listener = listening("127.0.0.1", 0)
    config = uvicorn.Config(app, http=OnePacketProtocol, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 (the server has no event for it)
        await asyncio.sleep(0.01)
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await serving


async def statuses(port: int, tokens: Iterable[str], *, path: str = "/v1/me", lines: int = 8) -> Counter[int]:
    """How each of the tokens was answered, sent raw over a few lines that are kept."""
    waiting = iter(tokens)
    counted: Counter[int] = Counter()

    async def one_line() -> None:
        wire: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for token in waiting:
            if wire is None:
                wire = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            status, kept = await _asked(wire, path, token)
            counted[status] += 1
            if not kept:
                await _hung_up(wire)
                wire = None
        if wire is not None:
            await _hung_up(wire)

    await asyncio.gather(*(one_line() for _ in range(lines)))
    return counted


async def _asked(wire: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str, token: str) -> tuple[int, bool]:
    reader, writer = wire
    head = f"GET {path} HTTP/1.1\r\nHost: clientbase\r\nAuthorization: Bearer ".encode()
    writer.write(head + token.encode("utf-8", "surrogatepass") + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    names = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:] if b": " in line)
    if b"content-length" in names:
        await reader.readexactly(int(names[b"content-length"]))
    return int(answer.split(b" ", 2)[1]), b"content-length" in names and names.get(b"connection") != b"close"


async def _hung_up(wire: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    wire[1].close()
    with suppress(OSError):
        await wire[1].wait_closed()
