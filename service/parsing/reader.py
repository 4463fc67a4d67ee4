"""Untrusted files are read in a process that can be killed; see `child`. Here is the side that starts it and waits."""

import asyncio
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

import service
from service.domain.errors import retold
from service.domain.ingestion.batches import Options
from service.domain.ingestion.blocks import Head
from service.domain.ingestion.errors import UnreadableFile
from service.parsing import frames
from service.parsing.frames import Parcel

_ROOT = Path(str(service.__file__)).parents[1]
# Without `site`: what it sets up takes a fifth of the child's start, and a file is read by two or three of them.
_PATHS = [str(_ROOT), *filter(None, sys.path)]
_START = f"import sys; sys.path[:] = {_PATHS!r}; from service.parsing.child import main; main()"
_COMMAND = (sys.executable, "-I", "-S", "-c", _START)
# No setting and no secret of the service.
_ENVIRONMENT = {"LANG": "C.UTF-8"}
_BUFFER = 1 << 18
_LOOK_CPU_S = 5
# A mebibyte of gzip may be two hundred of text.
_CPU_S, _CPU_S_PER_MIB = 30, 6
_MOST_SILENCE_S = 30.0


class ParserFailed(RuntimeError):
    """The child met what nobody foresaw; the words name the kind of error and no value."""


class KillableReader:
    """Reads each file in a child of its own, which is gone when the reading ends, however it ends.

    The next child is started then, so that the next file does not wait for an interpreter.
    """

    def __init__(self, *, most_silence_s: float = _MOST_SILENCE_S) -> None:
        self._most_silence_s = most_silence_s
        self._next: asyncio.Task[Process] | None = None

    async def aclose(self) -> None:
        """Let go of the child that waits."""
        waiting, self._next = self._next, None
        if waiting is not None:
            with suppress(OSError):
                await _ended(await waiting)

    async def look(self, start: bytes, options: Options) -> Head:
        async def parts() -> AsyncIterator[bytes]:
            yield start

        async with self._reading("look", parts(), options, cpu_s=_LOOK_CPU_S) as reading:
            _, body = await reading.next()
            return frames.head_of(body)

    async def blocks(
        self, parts: AsyncIterable[bytes], options: Options, *, size: int, most: int | None = None
    ) -> AsyncGenerator[Parcel | int, None]:
        cpu_s = _CPU_S + _CPU_S_PER_MIB * (size >> 20)
        async with self._reading("blocks", parts, options, cpu_s=cpu_s, most=most) as reading:
            while (frame := await reading.next())[0] != frames.DONE:
                kind, body = frame
                yield int(body) if kind == frames.COUNT else Parcel(body)

    @asynccontextmanager
    async def _reading(
        self, do: str, parts: AsyncIterable[bytes], options: Options, *, cpu_s: int, most: int | None = None
    ) -> AsyncIterator["_Reading"]:
        command = {
            "do": do,
            "encoding": options.encoding,
            "delimiter": options.delimiter,
            "quote": options.quote,
            "most": most,
            "cpu_s": cpu_s,
        }
        process = await self._child()
        feeding = asyncio.create_task(_feed(process, command, parts))
        try:
            yield _Reading(process, feeding, self._most_silence_s)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await _ended(process)
            if self._next is None:
                self._next = asyncio.create_task(_started())

    async def _child(self) -> Process:
        """The child that waits, if there is one and it lives; else a new one."""
        waiting, self._next = self._next, None
        if waiting is not None:
            with suppress(OSError):
                process = await waiting
                if process.returncode is None:
                    return process
        return await _started()


async def _started() -> Process:
    return await asyncio.create_subprocess_exec(
        *_COMMAND,
        cwd=_ROOT,
        env=_ENVIRONMENT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_BUFFER,
    )


async def _ended(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


class _Reading:
    """The frames of one child as they come."""

    def __init__(self, process: Process, feeding: "asyncio.Task[None]", most_silence_s: float) -> None:
        self._process = process
        self._feeding = feeding
        self._most_silence_s = most_silence_s

    async def next(self) -> tuple[bytes, bytes]:
        """Kind and body of the next frame. Raises what the file is refused for, and what its source has met."""
        try:
            async with asyncio.timeout(self._most_silence_s):
                kind, body = await self._frame()
        except TimeoutError:
            raise UnreadableFile from None
        except EOFError:
            raise await self._end() from None
        if kind == frames.REFUSED:
            raise retold(orjson.loads(body))
        if kind == frames.FAILED:
            raise ParserFailed(body.decode("ascii", "replace")[:100])
        return kind, body

    async def _frame(self) -> tuple[bytes, bytes]:
        stdout = self._process.stdout
        assert stdout is not None
        (length,) = frames.LENGTH.unpack(await stdout.readexactly(frames.LENGTH.size))
        if not 0 < length <= frames.LONGEST:
            raise ParserFailed("a frame of no possible length")
        frame = await stdout.readexactly(length)
        return frame[:1], frame[1:]

    async def _end(self) -> BaseException:
        """Why there are no more frames: the source of the file failed, or the child died of it."""
        if self._feeding.done() and not self._feeding.cancelled() and (error := self._feeding.exception()):
            return error
        code = await self._process.wait()
        if code == -signal.SIGKILL:
            return UnreadableFile("Reading the file was stopped; it may have taken more memory than there is.")
        return UnreadableFile()


async def _feed(process: Process, command: dict[str, Any], parts: AsyncIterable[bytes]) -> None:
    """Give the child its orders and the file; a child that has heard enough closes its end."""
    pipe = process.stdin
    assert pipe is not None
    try:
        pipe.write(frames.frame(orjson.dumps(command)))
        async for part in parts:
            if not part:
                continue  # nothing means the end
            pipe.write(frames.LENGTH.pack(len(part)))
            pipe.write(part)
            try:
                await pipe.drain()
            except ConnectionError:
                return
        pipe.write(frames.LENGTH.pack(0))
        with suppress(ConnectionError):
            await pipe.drain()
    finally:
        pipe.close()
