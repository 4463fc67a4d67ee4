"""Beside the jobs, the worker compares new and changed records with their like."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from service.domain.duplicates.model import Matched
from service.domain.errors import Unavailable

_log = structlog.get_logger("duplicates")
_EVERY_S = 2.0


async def keep_matched(
    refresh: Callable[[], Awaitable[Matched]], shutdown: asyncio.Event, *, every_s: float = _EVERY_S
) -> None:
    """Match every few seconds until `shutdown` is set; a round that fails is made good by the next."""
    while not shutdown.is_set():
        try:
            done = await refresh()
            if done.pairs:
                _log.info("records matched", records=done.records, pairs=done.pairs)
        except Unavailable as error:
            _log.warning("records not matched", code=error.code)
        except Exception as error:
            _log.error("records not matched", error=type(error).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(shutdown.wait(), every_s)
