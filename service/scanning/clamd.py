"""clamd by its own protocol: one connection a file, the file in chunks, and one line for an answer.

`zINSTREAM\\0`, then `<length, 32 bits, big-endian><bytes>` for each chunk, a length of nought at the end; clamd answers
with one line and closes. What is not `stream: OK` to the whole file, word for word, is no verdict: clamd answers with
an error and hangs up where a file is over its StreamMaxLength; the writer may meet a broken pipe before it reads that.
"""

import asyncio
import re
import struct
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.domain.ingestion.scanning import Clean, Infected, NotScanned, Verdict

_CHUNK = 1 << 17
_LONGEST_ANSWER = 4096
_ANSWER_S = 2.0
_STALL_S = 30.0
_FOUND = re.compile(r"stream: ([\x21-\x7e]{1,200}) FOUND")
_TOO_LARGE = "INSTREAM size limit exceeded. ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where clamd listens: a host with its port, or the path of a socket."""

    host: str = ""
    port: int = 0
    path: str = ""


def parse_address(text: str) -> Address:
    """The address of `tcp://host:port` or `unix:///path`; refuses anything else."""
    url = urlsplit(text)
    if url.scheme == "tcp" and url.hostname and url.port and not url.path.strip("/"):
        return Address(host=url.hostname, port=url.port)
    if url.scheme == "unix" and not url.netloc and len(url.path) > 1:
        return Address(path=url.path)
    raise ValueError(f"{text!r} is no address of clamd: tcp://127.0.0.1:3310 or unix:///run/clamav/clamd.ctl")


class Clamd:
    """Files judged by the clamd at one address; `scan` never takes silence, haste or noise for a verdict."""

    on = True

    def __init__(self, address: Address, *, most_bytes: int, at_once_bytes: int, at_once_s: float, patient_s: float):
        self._address = address
        self._at_once_bytes = at_once_bytes
        self._at_once_s = at_once_s
        self._patient_s = patient_s
        self.most_bytes = most_bytes

    def at_once(self, size: int | None) -> bool:
        return size is not None and size <= self._at_once_bytes

    async def answers(self) -> bool:
        """Whether clamd is there and talks, told within two seconds."""
        try:
            async with asyncio.timeout(_ANSWER_S), self._connected() as (reader, writer):
                writer.write(b"zPING\0")
                await writer.drain()
                return await reader.readexactly(5) == b"PONG\0"
        except (OSError, EOFError):
            return False

    async def scan(self, content: AsyncIterable[bytes], *, waiting: bool) -> Verdict:
        # One that hangs is told from one that is slow before the file is sent.
        if not await self.answers():
            return NotScanned(reason="clamd does not answer")
        try:
            async with asyncio.timeout(self._at_once_s if waiting else self._patient_s):
                async with self._connected() as (reader, writer):
                    return await self._judged(content, reader, writer)
        except TimeoutError:
            return NotScanned(reason="clamd took too long")
        except OSError:
            return NotScanned(reason="clamd could not be reached")

    async def _judged(
        self, content: AsyncIterable[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Verdict:
        answering = asyncio.create_task(_answer(reader))
        try:
            sent = await self._sent(content, writer, answering)
            if sent is None:
                return NotScanned(reason="the file is larger than may be sent to clamd", for_good=True)
            return verdict(await answering, whole=sent)
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _sent(
        self, content: AsyncIterable[bytes], writer: asyncio.StreamWriter, answering: "asyncio.Task[bytes]"
    ) -> bool | None:
        """Send the file; False when clamd would not hear it to its end, None when it is too large."""
        size = 0
        writer.write(b"zINSTREAM\0")
        async for piece in content:
            size += len(piece)
            if size > self.most_bytes:
                return None
            if answering.done() or not await _put(writer, piece):
                return False
        return await _put(writer, b"", last=True)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        at = self._address
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await (
                asyncio.open_unix_connection(at.path) if at.path else asyncio.open_connection(at.host, at.port)
            )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


class NoScanner:
    """What stands there where no clamd is configured."""

    on = False
    most_bytes = 0

    def at_once(self, size: int | None) -> bool:
        return False

    async def answers(self) -> bool:
        return False

    async def scan(self, content: AsyncIterable[bytes], *, waiting: bool) -> Verdict:
        return NotScanned(reason="no virus scanner is configured")


def verdict(answer: bytes, *, whole: bool) -> Verdict:
    """What clamd's answer means; `whole`: it was given the file to its end."""
    text = answer.decode("ascii", "replace")
    if answer == b"stream: OK\0" and whole:
        return Clean()
    if answer.endswith(b"\0") and (found := _FOUND.fullmatch(text[:-1])):
        return Infected(signature=found[1])
    if text[:-1] == _TOO_LARGE:
        return NotScanned(reason="the file is over clamd's StreamMaxLength", for_good=True)
    return NotScanned(reason="clamd gave no verdict")


async def _put(writer: asyncio.StreamWriter, piece: bytes, *, last: bool = False) -> bool:
    """Send a piece in chunks; False when the other end has hung up. A writer that is kept waiting for long gives up."""
    try:
        for start in range(0, len(piece), _CHUNK):
            chunk = piece[start : start + _CHUNK]
            writer.write(struct.pack(">I", len(chunk)) + chunk)
            async with asyncio.timeout(_STALL_S):
                await writer.drain()
        if last:
            writer.write(struct.pack(">I", 0))
            await writer.drain()
    except ConnectionError:
        return False
    return True


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """All that clamd says until it hangs up, if it keeps that short."""
    answer = b""
    try:
        while piece := await reader.read(_LONGEST_ANSWER):
            answer += piece
            if len(answer) > _LONGEST_ANSWER:
                break
    except ConnectionError:
        # Hung up while we were still sending; what it said before that stands.
        pass
    return answer
