"""A clamd that is there when it is asked, and gone when it is sent a file."""

import asyncio
from collections.abc import AsyncIterator

from service.domain.ingestion.scanning import NotScanned
from service.scanning.clamd import Address, Clamd


async def _file() -> AsyncIterator[bytes]:
    yield b"a file"


def test_one_that_is_gone_after_its_answer_has_judged_nothing() -> None:
    async def scenario() -> None:
        async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(6)
            server.close()
            writer.write(b"PONG\0")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(pong, "127.0.0.1", 0)
        at = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        clamd = Clamd(at, most_bytes=1_000, at_once_bytes=1_000, at_once_s=5, patient_s=5)
        assert await clamd.scan(_file(), waiting=True) == NotScanned(reason="clamd could not be reached")

    asyncio.run(scenario())
