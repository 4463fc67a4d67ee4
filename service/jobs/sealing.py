"""Beside the jobs, the worker seals the audit trail twice a second; each minute and at its end it anchors it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Protocol

import structlog

from service.domain.audit.anchors import Anchor, Anchors, Head, moved
from service.domain.errors import Unavailable
from service.domain.ports import Clock
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
        while not shutdown.is_set():
            if await self._round() and time.monotonic() >= due:
                due = time.monotonic() + self._anchor_every_s
                await self._safely_anchor()
            with suppress(TimeoutError):
                await asyncio.wait_for(shutdown.wait(), self._every_s)
        await self._round()
        await self._safely_anchor()

    async def _round(self) -> bool:
        try:
            await self._sealer.seal()
            waiting = await self._sealer.backlog()
        except Unavailable as error:
            _log.warning("not sealed", code=error.code)
            return False
        except Exception as error:
            _log.error("not sealed", error=type(error).__name__)
            return False
        AUDIT_UNSEALED.set(waiting.rows)
        AUDIT_LAG.set(waiting.lag_s)
        return True

    async def _safely_anchor(self) -> None:
        try:
            await self.anchor()
        except Exception as error:
            _log.error("not anchored", error=type(error).__name__)

    async def anchor(self) -> None:
        """Sign where the chains are now; one that names no head still says that nothing has moved. Raises OSError."""
        heads = moved(await self._sealer.heads(), self._anchored)
        anchor = Anchor(at=self._clock.now(), heads=heads)
        await asyncio.to_thread(self._anchors.append, anchor)
        self._anchored |= {(head.tenant_id, head.month): head.seq for head in heads}
