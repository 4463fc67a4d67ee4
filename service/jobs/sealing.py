"""Beside the jobs, the worker seals the audit trail twice a second; each minute and at its end it anchors it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import date
from typing import Protocol

import structlog

from service.domain.audit.anchors import Anchor, Anchors, Head, moved
from service.domain.ports import Clock
from service.jobs.rounds import keep, tried
from service.telemetry import AUDIT_LAG, AUDIT_UNSEALED

_log = structlog.get_logger("audit")


class Backlog(Protocol):
    @property
    def rows(self) -> int: ...

    @property
    def lag_s(self) -> float: ...


class Sealer(Protocol):
    async def seal(self) -> int: ...

    async def backlog(self) -> Backlog: ...

    async def heads(self) -> Sequence[Head]: ...


class Sealing:
    def __init__(
        self, sealer: Sealer, anchors: Anchors, clock: Clock, *, every_s: float, anchor_every_s: float
    ) -> None:
        self._sealer = sealer
        self._anchors = anchors
        self._clock = clock
        self._every_s = every_s
        self._anchor_every_s = anchor_every_s
        self._anchored: dict[tuple[int, date], int] = {}

    async def keep_sealed(self, shutdown: asyncio.Event) -> None:
        """Until `shutdown` is set; a round that fails is made good by the next."""
        due = time.monotonic()

        async def once() -> None:
            nonlocal due
            if await self._round() and time.monotonic() >= due:
                due = time.monotonic() + self._anchor_every_s
                await self.anchor()

        await keep(once, shutdown, every_s=self._every_s, log=_log, trouble="not anchored")
        await self._round()
        await tried(self.anchor, _log, "not anchored")

    async def _round(self) -> bool:
        return await tried(self._seal, _log, "not sealed")

    async def _seal(self) -> None:
        await self._sealer.seal()
        waiting = await self._sealer.backlog()
        AUDIT_UNSEALED.set(waiting.rows)
        AUDIT_LAG.set(waiting.lag_s)

    async def anchor(self) -> None:
        """Sign where the chains are now; one that names no head still says that nothing has moved. Raises OSError."""
        heads = moved(await self._sealer.heads(), self._anchored)
        anchor = Anchor(at=self._clock.now(), heads=heads)
        await asyncio.to_thread(self._anchors.append, anchor)
        self._anchored |= {(head.tenant_id, head.month): head.seq for head in heads}
