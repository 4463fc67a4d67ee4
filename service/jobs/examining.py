"""Records are examined where it disturbs nobody: a few in a thread, many in processes of their own."""

import asyncio
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import orjson

from service.domain.quality.examining import Found, Judged, Look, examine

# Starting a process takes about as long as examining so many.
_MANY = 250


def _examined(rows: bytes, look: Look) -> tuple[list[Judged], list[Found]]:
    return examine(orjson.loads(rows), look)


class Examiners:
    """So many processes, started when there is much to do and gone when there is nothing."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    @property
    def at_once(self) -> int:
        return max(self._processes, 1)

    async def examine(self, rows: Sequence[str], look: Look) -> tuple[Sequence[Judged], Sequence[Found]]:
        body = ("[" + ",".join(rows) + "]").encode()
        if len(rows) < _MANY or not self._processes:
            return await asyncio.to_thread(_examined, body, look)
        if self._pool is None:
            # Spawned: what the worker has open (connections, the loop) is none of theirs.
            self._pool = ProcessPoolExecutor(self._processes, mp_context=multiprocessing.get_context("spawn"))
        return await asyncio.get_running_loop().run_in_executor(self._pool, _examined, body, look)

    async def rest(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
