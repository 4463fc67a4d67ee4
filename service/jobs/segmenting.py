"""Beside the jobs, the worker lets live segments follow what is written, and the day."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from service.domain.errors import Unavailable
from service.domain.segments.refreshing import Refreshed

_log = structlog.get_logger("segments")
_EVERY_S = 2.0


async def keep_refreshed(
    refresh: Callable[[], Awaitable[Refreshed]], shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Refresh every few seconds until `shutdown` is set; a round that fails is made good by the next."""
    while not shutdown.is_set():
        try:
            done = await refresh()
            if done.moved:
                _log.info("segments refreshed", segments=done.segments, moved=done.moved)
        except Unavailable as error:
            _log.warning("segments not refreshed", code=error.code)
        except Exception as error:
            _log.error("segments not refreshed", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.wait(), every_s)
