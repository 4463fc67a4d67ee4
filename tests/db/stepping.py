"""A pool whose every statement can be made the last one: cancelled, broken by an exception, or killed on the server."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg

Moment = Literal["cancel before", "cancel in flight", "cancel after", "raise before", "raise after", "kill before"]
MOMENTS: tuple[Moment, ...] = (
    "cancel before",
    "cancel in flight",
    "cancel after",
    "raise before",
    "raise after",
    "kill before",
)
_STATEMENTS = {"execute", "fetch", "fetchrow", "fetchval", "executemany"}


class Planted(Exception):
    """What breaks out between two statements."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Strikes once, at the given statement (from 1) and moment, at the task that it was aimed at."""

    at: int
    moment: Moment
    kill: Callable[[int], Awaitable[None]]
    victim: asyncio.Task[Any] | None = None
    seen: int = 0
    struck: bool = False

    async def around(self, pid: int, run: Callable[[], Awaitable[Any]]) -> Any:
        self.seen += 1
        if self.seen != self.at:
            return await run()
        self.struck = True
        if self.moment == "kill before":
            await self.kill(pid)
        if self.moment == "cancel in flight":
            asyncio.get_running_loop().call_soon(self._cancel)
        await self._strike("before")
        result = await run()
        await self._strike("after")
        return result

    async def _strike(self, when: str) -> None:
        if self.moment == f"raise {when}":
            raise Planted
        if self.moment == f"cancel {when}":
            self._cancel()
            await asyncio.sleep(0)

    def _cancel(self) -> None:
        assert self.victim is not None
        self.victim.cancel()


class SteppingConnection:
    def __init__(self, real: Any, fault: Fault) -> None:
        self.real = real
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.real, name)
        if name not in _STATEMENTS:
            return attribute

        async def step(*args: Any, **options: Any) -> Any:
            pid = 0 if self.real.is_closed() else self.real.get_server_pid()
            return await self._fault.around(pid, lambda: attribute(*args, **options))

        return step


class _Acquiring:
    """Either awaited or entered, like the driver's own."""

    def __init__(self, pool: "SteppingPool", timeout: float | None) -> None:
        self._pool = pool
        self._timeout = timeout
        self._connection: SteppingConnection | None = None

    def __await__(self) -> Generator[Any, None, SteppingConnection]:
        return self._acquired().__await__()

    async def _acquired(self) -> SteppingConnection:
        return SteppingConnection(await self._pool.real.acquire(timeout=self._timeout), self._pool.fault)

    async def __aenter__(self) -> SteppingConnection:
        self._connection = await self._acquired()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._pool.release(self._connection)


class SteppingPool:
    def __init__(self, real: asyncpg.Pool, fault: Fault) -> None:
        self.real = real
        self.fault = fault

    def acquire(self, *, timeout: float | None = None) -> _Acquiring:
        return _Acquiring(self, timeout)

    async def release(self, connection: Any) -> None:
        await self.real.release(connection.real)
